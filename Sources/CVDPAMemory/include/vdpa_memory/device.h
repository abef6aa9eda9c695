/* The device: opening it, and its control operations. Include <vdpa_memory.h>. */
#ifndef VDPA_MEMORY_DEVICE_H
#define VDPA_MEMORY_DEVICE_H

#include "base.h"

VDM_BEGIN

/* Opens /dev/vhost-vdpa-N, becomes its owner and acknowledges the backend features. A vhost-vdpa
 * file can be opened once: opening resets an unused device, and control operations go through here.
 *
 * Errors: VDM_E_DEVICE_UNAVAILABLE (errno ENOENT, EACCES, EBUSY, ...), VDM_E_NOT_SUPPORTED.
 * System calls: open, about eight ioctls, and reads of sysfs. */
VDM_API int vdm_device_open(const char *path, vdm_device **device);

/* How vdm_device_adopt takes a descriptor. */
enum vdm_adopt_flag {
	/* Makes a second descriptor; the caller's stays his. */
	VDM_ADOPT_DUPLICATE = 1
};

/* Takes over an open descriptor of a device that does not run; everything that is mapped is
 * unmapped, as nobody can read what is there. On any failure the descriptor stays the caller's.
 *
 * Errors: VDM_E_INVALID_ARGUMENT (no vhost-vdpa descriptor), VDM_E_NOT_OWNER,
 * VDM_E_DEVICE_UNAVAILABLE (it runs), VDM_E_DEVICE_GONE, VDM_E_KERNEL_REFUSED. */
VDM_API int vdm_device_adopt(int descriptor, uint32_t flags, vdm_device **device);

/* Gives the handle up. The file is closed with the last domain that uses the device; the kernel
 * then unmaps everything and resets the device. */
VDM_API int vdm_device_close(vdm_device *device);

/* What a device is and can do. */
typedef struct vdm_device_info {
	size_t size; /* sizeof this; set by the caller */
	vdm_range iova_range;
	uint64_t backend_features; /* VHOST_BACKEND_F_* bits, acknowledged */
	uint64_t entry_limit;	   /* entries an address space can hold; 0 for no limit */
	uint32_t device_id;	   /* virtio: 1 network, 2 block, ... */
	uint32_t address_space_count;
	uint32_t group_count;
	uint32_t queue_count;
	uint32_t maximum_queue_size;
	int32_t numa_node;	    /* -1 where it has none */
	uint32_t pins_memory;	    /* 1: pages are pinned; 0: mapped by virtual address */
	uint32_t supports_batching; /* BATCH_BEGIN and BATCH_END */
} vdm_device_info;

/* Errors: VDM_E_INVALID_ARGUMENT (size), VDM_E_DEVICE_GONE. System calls: four ioctls. */
VDM_API int vdm_device_get_info(vdm_device *device, vdm_device_info *info);

/* The virtio status byte (VHOST_VDPA_GET_STATUS, VHOST_VDPA_SET_STATUS). Writing 0 resets: see
 * vdm_device_reset. After setting FEATURES_OK read it back: the kernel does not check that it
 * stuck. */
VDM_API int vdm_device_get_status(vdm_device *device, uint8_t *status);
VDM_API int vdm_device_set_status(vdm_device *device, uint8_t status);

/* Resets the device. Some kinds lose what was mapped: vdm_domain_needs_remap then says so, and
 * vdm_remap brings it back. */
VDM_API int vdm_device_reset(vdm_device *device);

/* Stops and resumes the queues with their state kept. Errors: VDM_E_NOT_SUPPORTED. */
VDM_API int vdm_device_suspend(vdm_device *device);
VDM_API int vdm_device_resume(vdm_device *device);

/* Virtio features: what the device offers, and what the driver takes, before FEATURES_OK. */
VDM_API int vdm_device_get_features(vdm_device *device, uint64_t *features);
VDM_API int vdm_device_set_features(vdm_device *device, uint64_t features);

/* The configuration space: its size, and parts of it. Errors: VDM_E_INVALID_ARGUMENT where the part
 * is empty or reaches outside. */
VDM_API int vdm_device_get_config_size(vdm_device *device, size_t *byte_count);
VDM_API int vdm_device_get_config(vdm_device *device, size_t offset, void *bytes,
				  size_t byte_count);
VDM_API int vdm_device_set_config(vdm_device *device, size_t offset, const void *bytes,
				  size_t byte_count);

/* An eventfd that is signalled when the configuration changes; -1 unbinds. It stays the
 * caller's. */
VDM_API int vdm_device_set_config_call(vdm_device *device, int event_descriptor);

/* Operations that the kernel has for other vhost devices. vhost-vdpa refuses the first three by
 * design (VDM_E_NOT_SUPPORTED) and takes the table without any effect on DMA. */
VDM_API int vdm_device_reset_owner(vdm_device *device);
VDM_API int vdm_device_set_log_base(vdm_device *device, uint64_t address);
VDM_API int vdm_device_set_log_descriptor(vdm_device *device, int descriptor);

VDM_END

#endif
