#ifndef CDATAPATH_MEMORY_H
#define CDATAPATH_MEMORY_H

#include <stddef.h>

#include "cdatapath_mutex.h"

#if defined(__clang__)
#define CDP_NULLABLE _Nullable
#else
#define CDP_NULLABLE
#endif

/* Memory that may be refused: NULL then, where Swift's own allocations end the process. The
 * alignment is a power of two and at least a pointer's size. */
void *CDP_NULLABLE cdp_memory_allocate(size_t byte_count, size_t alignment);
void cdp_memory_free(void *CDP_NONNULL memory);

#endif
