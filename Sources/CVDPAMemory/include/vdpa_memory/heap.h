/* A heap: blocks of any size from 64 bytes to an extent's, in constant time. Include
 * <vdpa_memory.h>.
 *
 * For descriptor rings, headers, request structures. Threads may share one: take and give hold its
 * own lock for their few nanoseconds. Bookkeeping is out of the device's reach. They never map: an
 * exhausted heap says so, and the control plane grows it. */
#ifndef VDPA_MEMORY_HEAP_H
#define VDPA_MEMORY_HEAP_H

#include "region.h"

VDM_BEGIN

/* A block: where this process and where the device finds it. */
typedef struct vdm_block {
	void *address;
	uint64_t iova;
	uint64_t token; /* proves that it is of its heap, and out */
} vdm_block;

typedef struct vdm_heap_options {
	size_t size;		     /* sizeof this */
	uint64_t extent_byte_count;  /* 0 for 2 MiB */
	uint64_t initial_byte_count; /* 0 for one extent */
	uint32_t extent_capacity;    /* 0 for 256 */
	uint32_t granule_byte_count; /* 0 for 64 */
	uint64_t low_water_mark;     /* raises the low-water flag when so few bytes are free */
} vdm_heap_options;

#define VDM_HEAP_OPTIONS_INIT {sizeof(vdm_heap_options), 0, 0, 0, 0, 0}

/* Errors: VDM_E_INVALID_ARGUMENT, and what vdm_allocate may answer; nothing is left then. */
VDM_API int vdm_heap_create(vdm_domain *domain, const vdm_heap_options *options, vdm_heap **heap);

/* Frees the heap and its extents. No block may be in use. */
VDM_API int vdm_heap_destroy(vdm_heap *heap);

/* A block of at least so many bytes, aligned for the process and the device; its content is what
 * its last owner left. `alignment` 0: the granule. VDM_E_EXHAUSTED where no extent has room. O(1).
 * */
VDM_API int vdm_heap_take(vdm_heap *heap, uint64_t byte_count, uint64_t alignment,
			  vdm_block *block);

/* Gives a block back, from any thread. VDM_E_INVALID_ARGUMENT where it is not of this heap, or was
 * given back already. O(1). */
VDM_API int vdm_heap_give(vdm_heap *heap, vdm_block block);

/* The bytes that a block has: what was asked for, rounded up to the granule. */
VDM_API uint64_t vdm_block_byte_count(vdm_block block);

/* Maps extents for at least so many bytes more, in one batch; frees empty ones but for `keeping`.
 * */
VDM_API int vdm_heap_grow(vdm_heap *heap, uint64_t byte_count);
VDM_API int vdm_heap_trim(vdm_heap *heap, uint32_t keeping, size_t *freed_extents);

typedef struct vdm_heap_statistics {
	size_t size; /* sizeof this; set by the caller */
	uint64_t byte_count;
	uint64_t free_byte_count;
	uint64_t largest_free_byte_count;
	uint64_t wasted_byte_count;
	uint64_t blocks;
	uint64_t extents;
} vdm_heap_statistics;

VDM_API int vdm_heap_get_statistics(vdm_heap *heap, vdm_heap_statistics *statistics);

VDM_END

#endif
