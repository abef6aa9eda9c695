/* vdpa-memory: owns the DMA memory of vhost-vdpa devices on Linux.
 *
 * It carves the device's IOVA range into regions, backs them with hugepages on the device's NUMA
 * node, maps and unmaps them in batches, all or nothing, and serves a datapath in nanoseconds.
 *
 *	vdm_device *device;
 *	vdm_domain *domain;
 *	vdm_region region;
 *	if (vdm_device_open("/dev/vhost-vdpa-0", &device) ||
 *	    vdm_domain_create(device, 0, NULL, &domain) ||
 *	    vdm_allocate(domain, 64 << 20, NULL, &region))
 *		return complain(vdm_last_message());
 *	... region.address is the memory, region.iova is what the device is told ...
 *	vdm_free(domain, region.id, 0);
 *	vdm_domain_close(domain);
 *	vdm_device_close(device);
 *
 * Conventions of everything here:
 *
 * - Results: 0, or a negative code of `enum vdm_code`; nothing has happened then, unless the code's
 *   text says so, and output parameters are as they were. `vdm_last_error` has the figures.
 * - Handles (`vdm_device *`, ...) name objects; they point to nothing. One that is null, stale, of
 *   another kind or made up is answered VDM_E_BAD_HANDLE.
 * - Threads: any call from any thread, unless it says otherwise. Closing a handle while another
 *   thread is in a call on it is allowed where calls take a lock; it is not for pools, heaps and
 *   translators, whose operations take none.
 * - Fork: a child may not use what its parent made: VDM_E_NOT_OWNER.
 * - Options are structures that begin with their own size, set by their _INIT macro; null means
 *   the defaults. A library that knows more fields takes the defaults for those; one that knows
 *   fewer refuses fields that are not 0, with VDM_E_INVALID_ARGUMENT.
 * - Sizes are bytes. Ranges are closed, [first, last], since `last` may be 2^64 - 1.
 *
 * C99 and C++. The library needs Linux 5.19 or later and libnuma.
 */
#ifndef VDPA_MEMORY_H
#define VDPA_MEMORY_H

#include "vdpa_memory/base.h"
#include "vdpa_memory/error.h"
#include "vdpa_memory/device.h"
#include "vdpa_memory/queue.h"
#include "vdpa_memory/domain.h"
#include "vdpa_memory/region.h"
#include "vdpa_memory/batch.h"
#include "vdpa_memory/report.h"
#include "vdpa_memory/pool.h"
#include "vdpa_memory/heap.h"
#include "vdpa_memory/translator.h"
#include "vdpa_memory/space.h"
#include "vdpa_memory/simulator.h"

#endif
