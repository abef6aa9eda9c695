/* A device's virtqueues, and which address space each of them uses. Include <vdpa_memory.h>. */
#ifndef VDPA_MEMORY_QUEUE_H
#define VDPA_MEMORY_QUEUE_H

#include "base.h"

VDM_BEGIN

/* A queue's areas as the device addresses them. For a packed ring `available` is the driver's event
 * area and `used` the device's. */
typedef struct vdm_ring_addresses {
	uint64_t descriptors;
	uint64_t available;
	uint64_t used;
} vdm_ring_addresses;

/* The number of entries: a power of two, at most the device's maximum, which the kernel does not
 * check and this does. Errors: VDM_E_INVALID_ARGUMENT. */
VDM_API int vdm_queue_set_size(vdm_device *device, uint32_t queue, uint32_t size);

/* Where the ring lies. Each area must be in live regions of the queue's address space that let the
 * device do what it will; the kernel does not check that. Set the size and the features first.
 * Errors: VDM_E_UNSAFE_CONTROL, VDM_E_INVALID_ARGUMENT. */
VDM_API int vdm_queue_set_addresses(vdm_device *device, uint32_t queue,
				    const vdm_ring_addresses *addresses);

/* Where the queue stands: the next available index of a split ring; of a packed one the available
 * state in the low 16 bits, the used state in the high ones. */
VDM_API int vdm_queue_get_base(vdm_device *device, uint32_t queue, uint32_t *base);
VDM_API int vdm_queue_set_base(vdm_device *device, uint32_t queue, uint32_t base);

/* While a queue is enabled, regions that hold its ring are freed by VDM_FREE_FORCE alone. */
VDM_API int vdm_queue_set_enabled(vdm_device *device, uint32_t queue, int enabled);

/* Eventfds: the driver's kick, the device's call, and its errors; -1 unbinds. They stay the
 * caller's. */
VDM_API int vdm_queue_set_kick(vdm_device *device, uint32_t queue, int event_descriptor);
VDM_API int vdm_queue_set_call(vdm_device *device, uint32_t queue, int event_descriptor);
VDM_API int vdm_queue_set_err(vdm_device *device, uint32_t queue, int event_descriptor);

/* The group that a queue is in, and that of its descriptors where they have one of their own. */
VDM_API int vdm_queue_get_group(vdm_device *device, uint32_t queue, uint32_t *group);
VDM_API int vdm_queue_get_descriptor_group(vdm_device *device, uint32_t queue, uint32_t *group);

/* Puts a group of queues into an address space: a control queue into its own, say. */
VDM_API int vdm_group_set_address_space(vdm_device *device, uint32_t group,
					uint32_t address_space);

VDM_END

#endif
