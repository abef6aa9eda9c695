/* Several operations, all or none. Include <vdpa_memory.h>. */
#ifndef VDPA_MEMORY_BATCH_H
#define VDPA_MEMORY_BATCH_H

#include "region.h"

VDM_BEGIN

enum vdm_operation_kind {
	VDM_OPERATION_ALLOCATE = 1, /* byte_count, options -> region */
	VDM_OPERATION_REGISTER,	    /* address, byte_count, options -> region */
	VDM_OPERATION_FREE	    /* region.id, flags */
};

typedef struct vdm_operation {
	uint32_t kind;	/* enum vdm_operation_kind */
	uint32_t flags; /* enum vdm_free_flag */
	void *address;
	uint64_t byte_count;
	const vdm_region_options *options; /* null for the defaults */
	vdm_region region;		   /* in for FREE, out for the others */
} vdm_operation;

/* One BATCH_BEGIN ... BATCH_END: all of it happens, in order where ranges are reused, or nothing.
 *
 * Errors: those of the operations; `operation` of the detail says which one was refused.
 * System calls: one write for each extent that comes or goes, and two for the batch's marks. */
VDM_API int vdm_batch(vdm_domain *domain, vdm_operation *operations, size_t count);

VDM_END

#endif
