/* The IOVA space alone, for those who map by other means. Include <vdpa_memory.h>.
 *
 * Exact: an allocation fails only where no aligned hole exists. Any address can be looked up. A
 * space serves one thread at a time: a call while another is inside is answered VDM_E_WRONG_THREAD,
 * and nothing happens. No system call after creation. */
#ifndef VDPA_MEMORY_SPACE_H
#define VDPA_MEMORY_SPACE_H

#include "base.h"

VDM_BEGIN

/* Names a region of a space. */
typedef struct vdm_space_handle {
	uint32_t slot;
	uint32_t generation;
} vdm_space_handle;

/* How a search goes through the holes. */
enum vdm_search {
	VDM_SEARCH_LOWEST = 0,
	VDM_SEARCH_HIGHEST,
	VDM_SEARCH_BEST_FIT
};

typedef struct vdm_space_request {
	size_t size;	    /* sizeof this */
	uint64_t alignment; /* a power of two up to 2^63; 0 for 4 KiB */
	uint32_t place;	    /* VDM_PLACE_ANYWHERE, _FIXED or _WITHIN */
	uint32_t search;    /* enum vdm_search */
	uint64_t place_first;
	uint64_t place_last;
} vdm_space_request;

#define VDM_SPACE_REQUEST_INIT {sizeof(vdm_space_request), 0, 0, 0, 0, 0}

enum vdm_entry_kind {
	VDM_ENTRY_HOLE = 0,
	VDM_ENTRY_REGION,
	VDM_ENTRY_QUARANTINED,
	VDM_ENTRY_RESERVATION,
	VDM_ENTRY_GUARD,
	VDM_ENTRY_UNUSABLE /* outside the usable range */
};

typedef struct vdm_space_entry {
	vdm_range range;
	uint32_t kind; /* enum vdm_entry_kind */
	vdm_space_handle handle;
} vdm_space_entry;

typedef struct vdm_space_statistics {
	size_t size; /* sizeof this; set by the caller */
	uint64_t regions;
	uint64_t region_capacity;
	uint64_t used_bytes;
	uint64_t free_bytes; /* saturated: [0, 2^64-1] has one more */
	uint64_t largest_hole_4kib;
	uint64_t largest_hole_2mib;
	uint64_t largest_hole_1gib;
	uint64_t metadata_bytes;
} vdm_space_statistics;

/* Ranges may be handed out in steps of 4 KiB from `usable`. All bookkeeping is taken here.
 * Errors: VDM_E_INVALID_ARGUMENT. */
VDM_API int vdm_space_create(vdm_range usable, uint64_t region_capacity, vdm_space **space);
VDM_API int vdm_space_destroy(vdm_space *space);

/* O(1) where a freed range of the size is at hand, else O(log n). `request` null: anywhere.
 * Errors: VDM_E_NO_SPACE, VDM_E_OVERLAP, VDM_E_OUTSIDE_RANGE, VDM_E_REGION_CAPACITY. */
VDM_API int vdm_space_allocate(vdm_space *space, uint64_t byte_count,
			       const vdm_space_request *request, vdm_range *range,
			       vdm_space_handle *handle);

/* By handle, which detects a double free, or by the first address. */
VDM_API int vdm_space_free(vdm_space *space, vdm_space_handle handle);
VDM_API int vdm_space_free_at(vdm_space *space, uint64_t first);

/* Keeps a range from being chosen; reservations may overlap. O(log n). */
VDM_API int vdm_space_reserve(vdm_space *space, vdm_range range);
VDM_API int vdm_space_cancel_reservation(vdm_space *space, vdm_range range);

/* What holds an address: kind VDM_ENTRY_HOLE with the address alone where nothing does.
 * O(log n). */
VDM_API int vdm_space_look_up(vdm_space *space, uint64_t address, vdm_space_entry *entry);

VDM_API int vdm_space_get_statistics(vdm_space *space, vdm_space_statistics *statistics);

VDM_END

#endif
