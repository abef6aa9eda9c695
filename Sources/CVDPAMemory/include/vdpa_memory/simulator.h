/* A device with the kernel's semantics and no hardware: for tests. Include <vdpa_memory.h>. */
#ifndef VDPA_MEMORY_SIMULATOR_H
#define VDPA_MEMORY_SIMULATOR_H

#include "base.h"

VDM_BEGIN

/* The four devices of the library's own kernel suite. */
enum vdm_simulated_kind {
	VDM_SIMULATED_NET = 0,	 /* vdpa_sim, network: two address spaces, set_map */
	VDM_SIMULATED_BLOCK,	 /* vdpa_sim, block */
	VDM_SIMULATED_IOMMU,	 /* vp_vdpa, block, behind a platform IOMMU with 48 bits */
	VDM_SIMULATED_VDUSE	 /* block, mapped by virtual address */
};

typedef struct vdm_simulator_options {
	size_t size; /* sizeof this */
	uint32_t kind; /* enum vdm_simulated_kind */
	uint32_t entry_limit;	       /* max_iotlb_entries; 0 for 2048 */
	uint64_t locked_byte_limit;    /* RLIMIT_MEMLOCK; 0 for none */
} vdm_simulator_options;

#define VDM_SIMULATOR_OPTIONS_INIT {sizeof(vdm_simulator_options), 0, 0, 0}

/* Null options: the network device. */
VDM_API int vdm_simulator_create(const vdm_simulator_options *options, vdm_simulator **simulator);
VDM_API int vdm_simulator_destroy(vdm_simulator *simulator);

/* Opens it as vdm_device_open does a real one.
 * Errors: VDM_E_DEVICE_UNAVAILABLE while it is open. */
VDM_API int vdm_simulator_open(vdm_simulator *simulator, vdm_device **device);

/* The device reads or writes memory by IOVA, as hardware does. VDM_E_NOT_MAPPED where part of the
 * range is not mapped for that: nothing is changed, and the access is recorded as a fault. */
VDM_API int vdm_simulator_read(vdm_simulator *simulator, uint32_t address_space, uint64_t iova,
			       void *bytes, size_t byte_count);
VDM_API int vdm_simulator_write(vdm_simulator *simulator, uint32_t address_space, uint64_t iova,
				const void *bytes, size_t byte_count);

/* An access that was refused. */
typedef struct vdm_fault {
	uint64_t iova;
	uint64_t byte_count;
	uint32_t is_write;
	uint32_t address_space;
} vdm_fault;

/* How many accesses were refused, and the first `capacity` of them. `faults` may be null. */
VDM_API int vdm_simulator_get_faults(vdm_simulator *simulator, vdm_fault *faults, size_t capacity,
				     size_t *count);
VDM_API int vdm_simulator_clear_faults(vdm_simulator *simulator);

/* The next write to the device file, or the next UPDATE message, fails with an errno. */
VDM_API int vdm_simulator_fail_next_write(vdm_simulator *simulator, int system_errno);
VDM_API int vdm_simulator_fail_next_update(vdm_simulator *simulator, int system_errno);

/* Entries of the kernel's table of an address space, and bytes pinned. */
VDM_API int vdm_simulator_get_entry_count(vdm_simulator *simulator, uint32_t address_space,
					  size_t *count);
VDM_API int vdm_simulator_get_pinned_bytes(vdm_simulator *simulator, uint64_t *byte_count);

VDM_END

#endif
