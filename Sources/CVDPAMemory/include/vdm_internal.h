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

/* A name is a slot's number, its generation and its kind: never an address, never null, and not
 * used again before 2^40 others of its slot. */
#define CVDM_KIND_BITS 4u
#define CVDM_SLOT_BITS 20u
#define CVDM_SEGMENT_SLOTS 1024u
#define CVDM_SEGMENTS ((1u << CVDM_SLOT_BITS) / CVDM_SEGMENT_SLOTS)

struct cvdm_slot {
	uint64_t name; /* 0 while free; read without the lock */
	void *fast;
	void *object;
	uint64_t generation;
	uint32_t next_free; /* number + 1 of the next free slot */
};

/* Segments come as they are needed and stay: a reader without the lock never meets freed memory.
 * Hidden: one load relative to the code, and not through a table of the shared library's. */
extern struct cvdm_slot *cvdm_segments[CVDM_SEGMENTS] __attribute__((visibility("hidden")));

/* Inline here, with the one below: as a call from another file they were most of what an
 * operation of a pool or a translator cost by call. */
static inline struct cvdm_slot *cvdm_slot_of(const void *handle, uint32_t kind)
{
	uint64_t name = (uint64_t)(uintptr_t)handle;
	uint32_t number = (uint32_t)(name >> CVDM_KIND_BITS) & ((1u << CVDM_SLOT_BITS) - 1);
	struct cvdm_slot *segment;
	struct cvdm_slot *slot;

	if (__builtin_expect((name & ((1u << CVDM_KIND_BITS) - 1)) != kind, 0))
		return NULL;
	segment = __atomic_load_n(&cvdm_segments[number / CVDM_SEGMENT_SLOTS], __ATOMIC_ACQUIRE);
	if (__builtin_expect(!segment, 0))
		return NULL;
	slot = &segment[number % CVDM_SEGMENT_SLOTS];
	if (__builtin_expect(__atomic_load_n(&slot->name, __ATOMIC_ACQUIRE) != name, 0))
		return NULL;
	return slot;
}

/* The second pointer given with the object, without the lock: for operations of nanoseconds. */
static inline void *cvdm_handle_fast(const void *handle, uint32_t kind)
{
	struct cvdm_slot *slot = cvdm_slot_of(handle, kind);
	return slot ? slot->fast : NULL;
}

/* Keeps an error as this thread's last one. The strings are copied, and cut where they are long. */
void cvdm_error_record(const vdm_error_detail *detail);

/* The same where the code's general texts are all there is to say. Answers the code. */
int cvdm_error_record_code(int code);

#endif
