/* Regions: the library's memory, or the caller's, mapped for the device.
 * Include <vdpa_memory.h>. */
#ifndef VDPA_MEMORY_REGION_H
#define VDPA_MEMORY_REGION_H

#include "base.h"

VDM_BEGIN

enum vdm_pages {
	VDM_PAGES_LARGEST = 0, /* 1 GiB, 2 MiB, transparent, 4 KiB: the largest that can be had */
	VDM_PAGES_4KIB,
	VDM_PAGES_TRANSPARENT,
	VDM_PAGES_2MIB,
	VDM_PAGES_1GIB
};

enum vdm_node_policy {
	VDM_NODE_DEVICE = 0, /* the device's, where it has one */
	VDM_NODE_ANY,
	VDM_NODE_REQUIRED,  /* `node`, or an error */
	VDM_NODE_PREFERRED, /* `node`, and others where it is short */
	VDM_NODE_CALLING_THREAD
};

enum vdm_place {
	VDM_PLACE_ANYWHERE = 0,
	VDM_PLACE_FIXED,    /* exactly at place_first */
	VDM_PLACE_WITHIN,   /* wholly inside [place_first, place_last] */
	VDM_PLACE_IDENTITY /* the IOVA equals the address */
};

enum vdm_isolation {
	VDM_ISOLATION_AUTOMATIC = 0, /* shared below 2 MiB; registered memory: dedicated */
	/* Part of a larger mapping: after free the device can reach the range until the mapping
	 * goes, and the range can be reused at once. */
	VDM_ISOLATION_SHARED,
	VDM_ISOLATION_DEDICATED /* a mapping of its own, which goes with the region */
};

enum vdm_region_flag {
	VDM_REGION_UNINITIALISED = 1,	     /* may show an earlier owner's content */
	VDM_REGION_INHERITED_BY_FORK = 2,    /* else children have a hole there */
	VDM_REGION_NOT_IN_CORE_DUMPS = 4,
	VDM_REGION_ZEROED_WHEN_FREED = 8,
	VDM_REGION_DELIBERATELY = 16	     /* a fixed place may lie over a reservation */
};

/* What a region is to be. */
typedef struct vdm_region_options {
	size_t size;	      /* sizeof this */
	uint32_t access;      /* enum vdm_access; 0 for read-write */
	uint32_t isolation;   /* enum vdm_isolation */
	uint32_t place;	      /* enum vdm_place */
	uint32_t flags;	      /* enum vdm_region_flag */
	uint64_t place_first;
	uint64_t place_last;
	/* Allocated memory only. */
	uint64_t alignment;   /* a power of two; 0 for 4 KiB */
	uint32_t pages;	      /* enum vdm_pages */
	uint32_t node_policy; /* enum vdm_node_policy */
	int32_t node;
	uint32_t thread_count; /* threads that populate; 0 lets the library choose */
	/* Of registered memory, too. */
	const char *tag; /* who owns it: UTF-8, up to 64 bytes are kept; null for nobody */
} vdm_region_options;

#define VDM_REGION_OPTIONS_INIT                                                                    \
	{sizeof(vdm_region_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL}

/* A region as its owner has it. */
typedef struct vdm_region {
	vdm_region_id id;
	uint32_t access;
	void *address;	     /* the first byte in this process */
	uint64_t iova;	     /* where the device finds it */
	uint64_t byte_count; /* what was asked for, rounded up to 4 KiB */
} vdm_region;

/* Memory from the library, mapped for the device; zeros unless VDM_REGION_UNINITIALISED.
 *
 * Errors: VDM_E_HOST_MEMORY, VDM_E_NO_SPACE, VDM_E_ENTRY_LIMIT, VDM_E_LOCKED_MEMORY_LIMIT,
 * VDM_E_REGION_CAPACITY, VDM_E_KERNEL_REFUSED, ...
 * Small regions are carved from mapped extents in O(log n) without a system call; others take
 * memfd_create, mmap, mbind, madvise, move_pages and one write. */
VDM_API int vdm_allocate(vdm_domain *domain, uint64_t byte_count,
			 const vdm_region_options *options, vdm_region *region);

/* Maps the caller's memory: whole 4 KiB pages, which must stay mapped until the region is gone. A
 * device that maps by virtual address takes shared, file-backed memory only.
 * Errors: VDM_E_UNSUITABLE_MEMORY, VDM_E_OVERLAP, VDM_E_OUTSIDE_RANGE, budgets. */
VDM_API int vdm_register(vdm_domain *domain, void *address, uint64_t byte_count,
			 const vdm_region_options *options, vdm_region *region);

enum vdm_free_flag {
	/* Also while it holds part of an enabled ring: the caller vouches that the device does
	 * not use it. */
	VDM_FREE_FORCE = 1
};

/* Frees a region, or unmaps the caller's memory. When this returns the device cannot reach a
 * dedicated region any more, unless unmapping is deferred.
 * Errors: VDM_E_NO_SUCH_REGION, VDM_E_UNSAFE_CONTROL, VDM_E_KERNEL_REFUSED. */
VDM_API int vdm_free(vdm_domain *domain, vdm_region_id id, uint32_t flags);

/* What is known about a region. */
typedef struct vdm_region_info {
	size_t size; /* sizeof this; set by the caller */
	vdm_region region;
	vdm_range extent;	  /* the mapping that it is part of */
	uint64_t page_byte_count; /* of the pages behind it; 0 for registered memory */
	uint32_t is_shared;	  /* whether it shares its mapping with others */
	int32_t first_node;	  /* the node of its first page; -1 where unknown */
} vdm_region_info;

VDM_API int vdm_region_get_info(vdm_domain *domain, vdm_region_id id, vdm_region_info *info);

/* A dedicated region's memory for another process: mmap(2) it there, MAP_SHARED. */
typedef struct vdm_export {
	size_t size;	/* sizeof this; set by the caller */
	int descriptor; /* the caller's to close */
	uint32_t reserved;
	uint64_t offset;
	uint64_t byte_count;
	uint64_t mappable_byte_count; /* whole pages: what mmap must be given */
	uint64_t page_byte_count;
} vdm_export;

/* Errors: VDM_E_INVALID_ARGUMENT (shared, or registered), VDM_E_NO_SUCH_REGION. */
VDM_API int vdm_region_export(vdm_domain *domain, vdm_region_id id, vdm_export *exported);

VDM_END

#endif
