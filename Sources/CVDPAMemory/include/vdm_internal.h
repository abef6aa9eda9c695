/* Between the C and the Swift half of the library. Not installed, no part of the interface. */
#ifndef VDM_INTERNAL_H
#define VDM_INTERNAL_H

#include "vdpa_memory.h"

#include <stdbool.h>

/* The kinds of things that handles name. */
enum cvdm_kind {
	CVDM_KIND_DEVICE = 1,
	CVDM_KIND_DOMAIN,
	CVDM_KIND_SPACE,
	CVDM_KIND_SIMULATOR,
	CVDM_KIND_POOL,
	CVDM_KIND_HEAP,
	CVDM_KIND_TRANSLATOR
};

/* A new name for `object`, or null where the process has 2^20 of them. */
void *cvdm_handle_make(uint32_t kind, void *object, void *fast);

/* What a name stands for, or null. Under the lock, so that the object can be retained before
 * another thread takes the name away. */
void cvdm_handles_lock(void);
void cvdm_handles_unlock(void);
void *cvdm_handle_find(const void *handle, uint32_t kind);

/* Takes the name away and answers the object, or null where it names none. */
void *cvdm_handle_take(const void *handle, uint32_t kind);

/* The second pointer given with the object, without the lock: for operations of nanoseconds. */
void *cvdm_handle_fast(const void *handle, uint32_t kind);

/* Keeps an error as this thread's last one. The strings are copied, and cut where they are long. */
void cvdm_error_record(const vdm_error_detail *detail);

/* The same where the code's general texts are all there is to say. Answers the code. */
int cvdm_error_record_code(int code);

#endif
