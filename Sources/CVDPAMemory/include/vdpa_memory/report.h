/* What a domain holds, has done, and would need. Include <vdpa_memory.h>. */
#ifndef VDPA_MEMORY_REPORT_H
#define VDPA_MEMORY_REPORT_H

#include "region.h"

VDM_BEGIN

typedef struct vdm_statistics {
	size_t size; /* sizeof this; set by the caller */
	uint64_t regions;
	uint64_t extents;
	uint64_t region_bytes;
	uint64_t mapped_bytes;
	uint64_t quarantined_extents;
	uint64_t quarantined_bytes;
	uint64_t entries_at_least; /* of the kernel's table: nobody outside it can know exactly */
	uint64_t entries_at_most;
	uint64_t update_messages;
	uint64_t invalidate_messages;
	uint64_t batch_messages;
	uint64_t batches;
	uint64_t failed_batches;
	uint64_t flushes;
	uint64_t failed_frees;
	uint64_t lost_extents;
	uint64_t writes_after_free;
	uint64_t free_bytes;
	uint64_t largest_hole_bytes;
} vdm_statistics;

VDM_API int vdm_domain_get_statistics(vdm_domain *domain, vdm_statistics *statistics);

/* What is used of each budget, and its limit. UINT64_MAX stands for no limit. */
typedef struct vdm_budget {
	size_t size; /* sizeof this; set by the caller */
	uint64_t entries_at_least;
	uint64_t entries_at_most;
	uint64_t entry_limit;
	uint64_t locked_bytes;
	uint64_t locked_byte_limit;
	uint64_t regions;
	uint64_t region_capacity;
	uint64_t free_bytes;
	uint64_t largest_hole_bytes;
} vdm_budget;

VDM_API int vdm_domain_get_budget(vdm_domain *domain, vdm_budget *budget);

/* What a planned request would need, before it is made. */
typedef struct vdm_requirement {
	size_t size; /* sizeof this; set by the caller */
	uint64_t extents;
	uint64_t entries_at_least;
	uint64_t entries_at_most;
	uint64_t locked_bytes;
	uint64_t iova_bytes;
	uint64_t regions;
	int32_t shortage;	      /* the code that it would be refused with, or 0 */
	uint32_t may_exceed_entries;
} vdm_requirement;

VDM_API int vdm_domain_get_requirement(vdm_domain *domain, uint64_t region_count,
				       uint64_t byte_count, const vdm_region_options *options,
				       vdm_requirement *requirement);

/* Everything that the domain holds now, range by range, as JSON with a documented, versioned
 * schema: regions with their tags, extents, reservations, quarantine, holes, address spaces.
 * `vdpa-doctor map` draws it. `*json` is the caller's, to be given to vdm_string_free. O(n log n),
 * under the lock. */
VDM_API int vdm_domain_get_snapshot(vdm_domain *domain, char **json);

VDM_END

#endif
