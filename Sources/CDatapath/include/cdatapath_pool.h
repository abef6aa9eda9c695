#ifndef CDATAPATH_POOL_H
#define CDATAPATH_POOL_H

#include "cdatapath_atomics.h"
#include "cdatapath_threads.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__clang__)
#define CDP_NULLABLE _Nullable
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wnullability-extension"
#pragma clang assume_nonnull begin
#else
#define CDP_NULLABLE
#endif

/* A pool of equal buffers: per-thread caches in front of one depot, after Bonwick and Adams,
 * "Magazines and Vmem" (2001). A magazine is an array of buffers. A thread keeps two and exchanges
 * a whole one with the depot when both are empty, or full: one stack operation each way.
 *
 * take and give are lock-free, allocate nothing and call nothing of the kernel. Not for signal
 * handlers. With checks (cdp_pool_options) each of them is slow and takes a lock. */

struct cdp_buffer {
	uint64_t address; /* 0: no buffer */
	uint64_t iova;
};

typedef struct cdp_pool cdp_pool;

/* The part of a thread number, on cache lines of its own. A pool begins with CDP_THREAD_SLOTS of
 * them. The buffers of the loaded magazine lie from `bottom` to `top`, and there is room up to
 * `limit`; all other members belong to the slow paths. The owner alone writes; figures are read by
 * others, too. Of a thread without magazines, and always with checks, the three are NULL, so that
 * every operation takes the slow path. */
struct cdp_pool_cache {
	struct cdp_buffer *CDP_NULLABLE top;
	struct cdp_buffer *CDP_NULLABLE bottom;
	struct cdp_buffer *CDP_NULLABLE limit;
	uint32_t loaded;
	uint32_t previous;
	uint32_t previous_count;
	uint32_t peak; /* the most buffers that were out of the depot when this thread refilled */
	uint64_t refills;
	uint64_t spills;
	uint64_t failures;
	uint64_t unused[8];
};

/* Slow paths. Address 0: the pool is exhausted. */
struct cdp_buffer cdp_pool_take_slowly(cdp_pool *pool) CDP_EXPORTED("vdm_inline_pool_take");
void cdp_pool_give_slowly(cdp_pool *pool, struct cdp_buffer buffer)
	CDP_EXPORTED("vdm_inline_pool_give");
size_t cdp_pool_take_bulk_slowly(cdp_pool *pool, struct cdp_buffer *buffers, size_t count)
	CDP_EXPORTED("vdm_inline_pool_take_bulk");
void cdp_pool_give_bulk_slowly(cdp_pool *pool, const struct cdp_buffer *buffers, size_t count)
	CDP_EXPORTED("vdm_inline_pool_give_bulk");

static inline struct cdp_pool_cache *cdp_pool_own_cache(cdp_pool *pool)
{
	char *cache = (char *)(void *)pool + cdp_thread_offset;
	/* The sum in a register: an indexed address in each access is slower to forward. */
	__asm__("" : "+r"(cache));
	return (struct cdp_pool_cache *)(void *)cache;
}

/* Whole buffers, four at a time, in instructions that every x86-64 and arm64 has. */
typedef uint64_t cdp_buffer_word __attribute__((vector_size(16), aligned(8), may_alias));

static inline void cdp_buffers_copy(struct cdp_buffer *to, const struct cdp_buffer *from,
				    size_t count)
{
	cdp_buffer_word *target = (cdp_buffer_word *)(void *)to;
	const cdp_buffer_word *source = (const cdp_buffer_word *)(const void *)from;
	while (count >= 4) {
		cdp_buffer_word a = source[0], b = source[1], c = source[2], d = source[3];
		target[0] = a;
		target[1] = b;
		target[2] = c;
		target[3] = d;
		source += 4;
		target += 4;
		count -= 4;
	}
	for (size_t i = 0; i < count; i++)
		target[i] = source[i];
}

static inline size_t cdp_buffers_between(const struct cdp_buffer *CDP_NULLABLE from,
					 const struct cdp_buffer *CDP_NULLABLE to)
{
	return ((uintptr_t)to - (uintptr_t)from) / sizeof(struct cdp_buffer);
}

/* A buffer, or address 0 where the pool is exhausted. */
static inline struct cdp_buffer cdp_pool_take(cdp_pool *pool)
{
	struct cdp_pool_cache *cache = cdp_pool_own_cache(pool);
	struct cdp_buffer *top = __atomic_load_n(&cache->top, __ATOMIC_RELAXED);
	if (__builtin_expect(top == cache->bottom, 0))
		return cdp_pool_take_slowly(pool);
	/* Word by word, as they are stored: a load of sixteen bytes would wait until both words have
	 * left the store buffer. Atomic, so that no compiler joins them. */
	struct cdp_buffer buffer;
	buffer.address = __atomic_load_n(&top[-1].address, __ATOMIC_RELAXED);
	buffer.iova = __atomic_load_n(&top[-1].iova, __ATOMIC_RELAXED);
	__atomic_store_n(&cache->top, top - 1, __ATOMIC_RELAXED);
	return buffer;
}

/* Gives a buffer of this pool back, from any thread. */
static inline void cdp_pool_give(cdp_pool *pool, struct cdp_buffer buffer)
{
	struct cdp_pool_cache *cache = cdp_pool_own_cache(pool);
	struct cdp_buffer *top = __atomic_load_n(&cache->top, __ATOMIC_RELAXED);
	if (__builtin_expect(top == cache->limit, 0)) {
		cdp_pool_give_slowly(pool, buffer);
		return;
	}
	__atomic_store_n(&top->address, buffer.address, __ATOMIC_RELAXED);
	__atomic_store_n(&top->iova, buffer.iova, __ATOMIC_RELAXED);
	__atomic_store_n(&cache->top, top + 1, __ATOMIC_RELAXED);
}

/* Up to `count` buffers; returns how many there were, at the front of `buffers`. */
static inline size_t cdp_pool_take_bulk(cdp_pool *pool, struct cdp_buffer *buffers, size_t count)
{
	struct cdp_pool_cache *cache = cdp_pool_own_cache(pool);
	struct cdp_buffer *top = __atomic_load_n(&cache->top, __ATOMIC_RELAXED);
	if (__builtin_expect(count * sizeof(*top) > (uintptr_t)top - (uintptr_t)cache->bottom, 0))
		return cdp_pool_take_bulk_slowly(pool, buffers, count);
	if (__builtin_expect(count == 0, 0))
		return 0;
	cdp_buffers_copy(buffers, top - count, count);
	__atomic_store_n(&cache->top, top - count, __ATOMIC_RELAXED);
	return count;
}

static inline void cdp_pool_give_bulk(cdp_pool *pool, const struct cdp_buffer *buffers,
				      size_t count)
{
	struct cdp_pool_cache *cache = cdp_pool_own_cache(pool);
	struct cdp_buffer *top = __atomic_load_n(&cache->top, __ATOMIC_RELAXED);
	if (__builtin_expect(count * sizeof(*top) > (uintptr_t)cache->limit - (uintptr_t)top, 0)) {
		cdp_pool_give_bulk_slowly(pool, buffers, count);
		return;
	}
	if (__builtin_expect(count == 0, 0))
		return;
	cdp_buffers_copy(top, buffers, count);
	__atomic_store_n(&cache->top, top + count, __ATOMIC_RELAXED);
}

/* The control plane: may allocate, wait and call the kernel. */

/* Where a region's buffers lie: the first, and `stride` bytes from one to the next. */
struct cdp_pool_region {
	uint64_t address;
	uint64_t iova;
	uint32_t count;
};

struct cdp_pool_options {
	uint64_t stride;
	/* What belongs to a buffer, from its address: filled and looked at with checks. */
	uint64_t byte_count;
	uint64_t headroom; /* bytes in front of the address that belong to it, too */
	uint32_t cache_capacity; /* buffers a magazine; 0: threads keep none */
	uint32_t low_water_mark; /* raises the flag when the depot falls to it */
	bool checks;
};

struct cdp_pool_figures {
	uint64_t capacity;
	uint64_t in_depot;
	uint64_t in_caches;
	uint64_t in_use;
	uint64_t peak;
	uint64_t refills;
	uint64_t spills;
	uint64_t failures;
};

/* No more buffers than these in a pool, nor in a magazine. */
#define CDP_POOL_MAX_BUFFERS 0x7fffffffu
#define CDP_POOL_MAX_CACHE 65536u

/* An empty pool, or NULL where there is no memory. */
cdp_pool *CDP_NULLABLE cdp_pool_create(const struct cdp_pool_options *options);

/* Ends the pool, whatever is in whose cache. Nobody may use it any more; a thread that ends later
 * does not. */
void cdp_pool_destroy(cdp_pool *pool);

/* Adds a region's buffers: 0, or -ENOMEM or -EOVERFLOW with nothing changed. */
int cdp_pool_add(cdp_pool *pool, const struct cdp_pool_region *region);

/* Takes out the regions all of whose buffers are in the depot or in the calling thread's cache,
 * except the one that was added first. Writes them to `removed`, which holds `limit`, and returns
 * how many they are. While it looks, other threads may find the depot empty. */
size_t cdp_pool_trim(cdp_pool *pool, struct cdp_pool_region *removed, size_t limit);

void cdp_pool_read_figures(cdp_pool *pool, struct cdp_pool_figures *figures);
uint32_t cdp_pool_cache_capacity(const cdp_pool *pool);
uint32_t cdp_pool_buffer_count(const cdp_pool *pool);

/* What one thread may keep of a pool of `count` buffers is an eighth, in two magazines. */
static inline uint32_t cdp_pool_fitting_cache(uint32_t wanted, uint32_t count)
{
	uint32_t most = count / 16 < CDP_POOL_MAX_CACHE ? count / 16 : CDP_POOL_MAX_CACHE;
	return wanted < most ? wanted : most;
}

/* Whether a take has failed, or the depot has fallen to the mark, since this was asked last. */
bool cdp_pool_clear_low_water(cdp_pool *pool);
bool cdp_pool_is_low(const cdp_pool *pool);

/* Bytes that all pools of the process have mapped, for tests. */
uint64_t cdp_pool_mapped_byte_count(void);

#if defined(__clang__)
#pragma clang assume_nonnull end
#pragma clang diagnostic pop
#endif
#ifdef __cplusplus
}
#endif

#endif
