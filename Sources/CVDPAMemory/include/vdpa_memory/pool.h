/* A pool: buffers of one size, taken and given back in nanoseconds. Include <vdpa_memory.h>.
 *
 * take and give take no lock that threads share, allocate nothing and make no system call. They
 * never map: an exhausted pool says so, and the control plane grows it. Each thread keeps some free
 * buffers in a cache of its own, which goes back to the pool when it ends. */
#ifndef VDPA_MEMORY_POOL_H
#define VDPA_MEMORY_POOL_H

#include "region.h"

#include "cdatapath_pool.h"

VDM_BEGIN

/* A buffer: where this process and where the device finds it. Address 0: none. */
typedef struct cdp_buffer vdm_buffer;

enum vdm_pool_flag {
	/* Giving a buffer twice or to the wrong pool, and writing to one after it was given back,
	 * end the process with a message. For debugging: each call takes a lock. */
	VDM_POOL_CHECKS = 1
};

typedef struct vdm_pool_options {
	size_t size; /* sizeof this */
	uint32_t alignment;	 /* of addresses and IOVAs, a power of two; 0 for 64 */
	uint32_t headroom;	 /* bytes in front of each buffer that belong to it */
	uint32_t cache_capacity; /* buffers of one of a thread's two magazines; 0 for 64 */
	uint32_t low_water_mark; /* raises the low-water flag when so few are left */
	uint32_t flags;		 /* enum vdm_pool_flag */
	uint32_t reserved;
} vdm_pool_options;

#define VDM_POOL_OPTIONS_INIT {sizeof(vdm_pool_options), 0, 0, 0, 0, 0, 0}

/* Makes a pool of all the buffers that fit into a region, which it takes over: the ID names nothing
 * any more, also where the call fails for the pool's sake: then the region has been freed.
 * Errors: VDM_E_INVALID_ARGUMENT, VDM_E_NO_SUCH_REGION, VDM_E_HOST_MEMORY. */
VDM_API int vdm_pool_create(vdm_domain *domain, vdm_region_id region, size_t buffer_byte_count,
			    const vdm_pool_options *options, vdm_pool **pool);

/* Frees the pool and its regions. No thread may be inside a call on it, and no buffer in use. */
VDM_API int vdm_pool_destroy(vdm_pool *pool);

/* VDM_E_EXHAUSTED where neither this thread's cache nor the pool has one. */
VDM_API int vdm_pool_take(vdm_pool *pool, vdm_buffer *buffer);

/* Gives a buffer back, from any thread, once the device is done with it. */
VDM_API int vdm_pool_give(vdm_pool *pool, vdm_buffer buffer);

/* Takes up to `count` buffers; `*taken` says how many there are, from the front. */
VDM_API int vdm_pool_take_bulk(vdm_pool *pool, vdm_buffer *buffers, size_t count, size_t *taken);
VDM_API int vdm_pool_give_bulk(vdm_pool *pool, const vdm_buffer *buffers, size_t count);

/* Adds a region's buffers, as vdm_pool_create takes the first ones; other threads go on. */
VDM_API int vdm_pool_grow(vdm_pool *pool, vdm_domain *domain, vdm_region_id region);

/* Frees regions all of whose buffers are free, the newest first; the first one stays. */
VDM_API int vdm_pool_trim(vdm_pool *pool, size_t *freed_regions);

/* Whether a take has found nothing, or the pool has fallen to the mark; lowers the flag. */
VDM_API int vdm_pool_clear_low(vdm_pool *pool, int *was_low);

typedef struct vdm_pool_statistics {
	size_t size; /* sizeof this; set by the caller */
	uint64_t capacity;
	uint64_t in_use;
	uint64_t free_in_depot;
	uint64_t free_in_caches;
	uint64_t high_water_mark; /* most out of the depot at once, caches included */
	uint64_t cache_misses;
	uint64_t exhaustions;
} vdm_pool_statistics;

/* Exact while no thread takes or gives. */
VDM_API int vdm_pool_get_statistics(vdm_pool *pool, vdm_pool_statistics *statistics);

/* What the inline functions below work on, without a look at the handle: as long as the pool is not
 * destroyed. Null where the handle names none. */
VDM_API cdp_pool *vdm_pool_datapath(vdm_pool *pool);

/* The same operations inline: no call where the thread's cache has room or buffers. */
static inline vdm_buffer vdm_take(cdp_pool *pool)
{
	return cdp_pool_take(pool);
}

static inline void vdm_give(cdp_pool *pool, vdm_buffer buffer)
{
	cdp_pool_give(pool, buffer);
}

static inline size_t vdm_take_bulk(cdp_pool *pool, vdm_buffer *buffers, size_t count)
{
	return cdp_pool_take_bulk(pool, buffers, count);
}

static inline void vdm_give_bulk(cdp_pool *pool, const vdm_buffer *buffers, size_t count)
{
	cdp_pool_give_bulk(pool, buffers, count);
}

VDM_END

#endif
