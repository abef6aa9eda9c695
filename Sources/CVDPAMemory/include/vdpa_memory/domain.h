/* A domain: one layout of device addresses, in one or more address spaces.
 * Include <vdpa_memory.h>. */
#ifndef VDPA_MEMORY_DOMAIN_H
#define VDPA_MEMORY_DOMAIN_H

#include "base.h"

VDM_BEGIN

enum vdm_domain_flag {
	/* Freed memory is filled with a pattern while it waits to be unmapped, and what a device
	 * writes there meanwhile is reported. For debugging. */
	VDM_DOMAIN_DETECT_WRITES_AFTER_FREE = 1,
	/* Raises the soft limit on locked memory to the hard one when a mapping needs it. */
	VDM_DOMAIN_RAISE_LOCKED_MEMORY = 2,
	/* Freed dedicated regions wait and are unmapped together: see the three limits. */
	VDM_DOMAIN_DEFERRED_UNMAPPING = 4
};

/* What an observer is told. */
enum vdm_event_kind {
	VDM_EVENT_OTHER = 0, /* a newer library's; `range` may mean nothing */
	VDM_EVENT_MAPPED,
	VDM_EVENT_UNMAPPED,
	VDM_EVENT_QUARANTINED,
	VDM_EVENT_FLUSHED,	       /* count extents, byte_count bytes */
	VDM_EVENT_WRITTEN_AFTER_FREE, /* range.first */
	VDM_EVENT_REFUSED,	       /* code; count needed, byte_count there is */
	VDM_EVENT_REMAPPED,
	VDM_EVENT_ATTACHED,
	VDM_EVENT_DETACHED,
	VDM_EVENT_LEAKED /* at close: count regions of one tag, byte_count bytes */
};

typedef struct vdm_event {
	size_t size;
	uint32_t kind; /* enum vdm_event_kind */
	int32_t code;
	vdm_range range;
	uint64_t count;
	uint64_t byte_count;
} vdm_event;

/* Called by the thread that did it, with no lock held, so that it may use the domain; several
 * threads may call at once. The event is the library's, valid during the call. */
typedef void (*vdm_observer)(void *context, const vdm_event *event);

typedef struct vdm_domain_options {
	size_t size; /* sizeof this */
	/* How many regions may live at once; 0 for 65,536. Bookkeeping is taken at creation. */
	uint64_t region_capacity;
	uint32_t flags; /* enum vdm_domain_flag */
	uint32_t reserved_count;
	/* Ranges that the library never chooses; copied. */
	const vdm_range *reserved;
	/* Part of the device's range to stay inside; null for all of it. Copied. */
	const vdm_range *window;
	/* Deferred unmapping: at most so much waits; 0 for no limit. */
	uint64_t maximum_deferred_bytes;
	uint64_t maximum_deferred_extents;
	uint64_t maximum_deferred_nanoseconds;
	vdm_observer observer; /* null for none, which costs nothing */
	void *observer_context;
} vdm_domain_options;

#define VDM_DOMAIN_OPTIONS_INIT                                                                    \
	{sizeof(vdm_domain_options), 0, 0, 0, NULL, NULL, 0, 0, 0, NULL, NULL}

/* A domain over an address space of a device. Page 0 of the IOVAs is never chosen, nor the
 * platform's windows.
 *
 * Errors: VDM_E_ADDRESS_SPACE, VDM_E_INVALID_ARGUMENT, VDM_E_OUTSIDE_RANGE, VDM_E_NOT_SUPPORTED. */
VDM_API int vdm_domain_create(vdm_device *device, uint32_t address_space,
			      const vdm_domain_options *options, vdm_domain **domain);

/* Unmaps everything, gives all memory back, and the handle up. Where unmapping fails, the memory
 * stays taken until the device is closed. Pools and heaps of the domain must be destroyed before:
 * else their memory goes with them, later. */
VDM_API int vdm_domain_close(vdm_domain *domain);

/* The addresses that regions may have. */
VDM_API int vdm_domain_get_range(vdm_domain *domain, vdm_range *range);

/* The same layout in another address space as well: everything is mapped there in one batch, or
 * nothing has changed. Errors: VDM_E_OUTSIDE_RANGE, VDM_E_OVERLAP (its windows),
 * VDM_E_UNSUITABLE_MEMORY, budgets. */
VDM_API int vdm_attach(vdm_domain *domain, vdm_device *device, uint32_t address_space);

enum vdm_detach_flag {
	/* Without a message: for a device that is gone. What it may still reach is kept until its
	 * file is closed. */
	VDM_DETACH_ABANDON = 1
};

VDM_API int vdm_detach(vdm_domain *domain, vdm_device *device, uint32_t address_space,
		       uint32_t flags);

/* Unmaps what waits in quarantine, all of it or what has waited for so long. One batch. */
VDM_API int vdm_flush(vdm_domain *domain);
VDM_API int vdm_flush_older_than(vdm_domain *domain, uint64_t nanoseconds);

/* Unmaps and gives back shared extents in which no region lives. */
VDM_API int vdm_trim(vdm_domain *domain);

/* Brings every device's table back to what the domain has mapped: after a reset, or an undo that
 * failed. For its duration the devices can reach nothing: stop the queues first. */
VDM_API int vdm_remap(vdm_domain *domain);

/* Whether a reset has emptied, or an undo has left unknown, some device's table: 1 or 0. */
VDM_API int vdm_domain_needs_remap(vdm_domain *domain, int *needs_remap);

VDM_END

#endif
