#define _GNU_SOURCE /* for MAP_ANONYMOUS */
#include "pool_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Making, growing, trimming and ending a pool, and its figures. */

_Static_assert(sizeof(struct cdp_buffer) == 16, "a buffer is sixteen bytes");
_Static_assert(sizeof(struct cdp_pool_cache) == CDP_THREAD_PART, "a cache has its lines to itself");
_Static_assert(sizeof(struct stack) == 128, "a stack has its lines to itself");

static uint64_t mapped_byte_count;

/* Zeros, of which no page exists before it is touched; NULL where there is no room. */
static void *map(size_t byte_count)
{
	void *memory = mmap(NULL, byte_count, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	__atomic_fetch_add(&mapped_byte_count, byte_count, __ATOMIC_RELAXED);
	return memory;
}

static void unmap(void *memory, size_t byte_count)
{
	munmap(memory, byte_count);
	__atomic_fetch_sub(&mapped_byte_count, byte_count, __ATOMIC_RELAXED);
}

uint64_t cdp_pool_mapped_byte_count(void)
{
	return __atomic_load_n(&mapped_byte_count, __ATOMIC_RELAXED);
}

static uint32_t bank_magazines(uint32_t bank)
{
	return 1u << (FIRST_BANK_LOG + bank);
}

/* Magazines for `buffers` buffers (pool_internal.h says why they suffice): false, with nothing
 * changed, where there is no memory. */
static bool add_magazines(struct cdp_pool *pool, uint32_t buffers)
{
	uint64_t wanted = (uint64_t)buffers / pool->magazine_capacity + SPARE_MAGAZINES;
	uint64_t there = pool->magazine_count;
	uint32_t bank = pool->bank_count;
	while (there < wanted) {
		size_t links = bank_magazines(bank) * sizeof(struct magazine);
		links = (links + 127) & ~(size_t)127;
		pool->banks[bank].byte_count =
			links + bank_magazines(bank) * pool->magazine_byte_count;
		char *memory = map(pool->banks[bank].byte_count);
		if (!memory) {
			while (bank > pool->bank_count) {
				bank--;
				unmap(pool->banks[bank].magazines, pool->banks[bank].byte_count);
			}
			return false;
		}
		pool->banks[bank].magazines = (struct magazine *)(void *)memory;
		pool->banks[bank].elements = memory + links;
		there += bank_magazines(bank);
		bank++;
	}
	/* Only those that are needed: the links of others stay untouched. */
	pool->bank_count = bank;
	while (pool->magazine_count < wanted)
		pool_push(pool, &pool->empty, ++pool->magazine_count, 0);
	return true;
}

cdp_pool *cdp_pool_create(const struct cdp_pool_options *options)
{
	struct cdp_pool *pool = map(sizeof(*pool));
	if (!pool)
		return NULL;
	pool->options = *options;
	if (options->checks)
		pool->options.cache_capacity = 0;
	/* Where threads keep none, each buffer has a magazine of its own: so none that is free is
	 * ever out of sight in the hand of a thread that moves others. */
	uint32_t capacity = pool->options.cache_capacity;
	pool->magazine_capacity = capacity ? capacity : 1;
	pool->magazine_byte_count = pool->magazine_capacity * sizeof(struct cdp_buffer);
	if (capacity) /* whole lines, so that no two threads share one */
		pool->magazine_byte_count = (pool->magazine_byte_count + 127) & ~(size_t)127;
	if (!add_magazines(pool, 0) || pthread_mutex_init(&pool->lock, NULL) != 0) {
		for (uint32_t bank = 0; bank < pool->bank_count; bank++)
			unmap(pool->banks[bank].magazines, pool->banks[bank].byte_count);
		unmap(pool, sizeof(*pool));
		return NULL;
	}
	pool_register(pool);
	return pool;
}

void cdp_pool_destroy(cdp_pool *pool)
{
	pool_unregister(pool);
	for (size_t i = 0; i < pool->region_count; i++)
		free(pool->regions[i].states);
	free(pool->regions);
	pthread_mutex_destroy(&pool->lock);
	for (uint32_t bank = 0; bank < pool->bank_count; bank++)
		unmap(pool->banks[bank].magazines, pool->banks[bank].byte_count);
	unmap(pool, sizeof(*pool));
}

/* Room for one more region. */
static bool reserve_region(struct cdp_pool *pool)
{
	if (pool->region_count < pool->region_capacity)
		return true;
	size_t capacity = pool->region_capacity ? 2 * pool->region_capacity : 4;
	struct region *regions = realloc(pool->regions, capacity * sizeof(*regions));
	if (!regions)
		return false;
	pool->regions = regions;
	pool->region_capacity = capacity;
	return true;
}

static void insert_region(struct cdp_pool *pool, const struct cdp_pool_region *place,
			  uint8_t *states)
{
	size_t at = pool->region_count;
	while (at > 0 && pool->regions[at - 1].place.address > place->address)
		at--;
	memmove(&pool->regions[at + 1], &pool->regions[at],
		(pool->region_count - at) * sizeof(*pool->regions));
	pool->regions[at] = (struct region){ .place = *place,
					     .is_first = pool->region_count == 0,
					     .states = states };
	pool->region_count++;
}

/* From the last buffers to the first, so that the first are taken first. */
static void put_buffers(struct cdp_pool *pool, const struct cdp_pool_region *place)
{
	uint32_t end = place->count, capacity = pool->magazine_capacity;
	while (end > 0) {
		uint32_t some = end % capacity ? end % capacity : capacity;
		uint32_t number = pool_pop_empty(pool);
		struct cdp_buffer *elements = pool_elements(pool, number);
		for (uint32_t i = 0; i < some; i++) {
			uint64_t offset = (end - some + i) * pool->options.stride;
			elements[i] = (struct cdp_buffer){ place->address + offset,
							   place->iova + offset };
		}
		if (some == capacity) {
			pool_push(pool, &pool->full, number, some);
		} else {
			pool_give_direct(pool, elements, some);
			pool_push(pool, &pool->empty, number, 0);
		}
		end -= some;
	}
}

int cdp_pool_add(cdp_pool *pool, const struct cdp_pool_region *region)
{
	int result = -ENOMEM;
	uint8_t *states = NULL;
	pthread_mutex_lock(&pool->lock);
	uint64_t count = (uint64_t)pool->buffer_count + region->count;
	if (count > CDP_POOL_MAX_BUFFERS) {
		result = -EOVERFLOW;
		goto done;
	}
	if (pool->options.checks && !(states = calloc(region->count, 1)))
		goto done;
	if (!reserve_region(pool) || !add_magazines(pool, (uint32_t)count)) {
		free(states);
		goto done;
	}
	insert_region(pool, region, states);
	__atomic_store_n(&pool->buffer_count, (uint32_t)count, __ATOMIC_RELAXED);
	put_buffers(pool, region);
	result = 0;
done:
	pthread_mutex_unlock(&pool->lock);
	return result;
}

uint32_t cdp_pool_cache_capacity(const cdp_pool *pool)
{
	return pool->options.cache_capacity;
}

uint32_t cdp_pool_buffer_count(const cdp_pool *pool)
{
	return __atomic_load_n(&pool->buffer_count, __ATOMIC_RELAXED);
}

static uint64_t load32(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* A cache's buffers, read while its owner may exchange magazines: what fits no magazine is what
 * lies between two. */
static uint32_t cached(const struct cdp_pool *pool, const struct cdp_pool_cache *cache)
{
	size_t count = 0;
	for (int tries = 0; tries < 8; tries++) {
		const struct cdp_buffer *bottom = __atomic_load_n(&cache->bottom, __ATOMIC_RELAXED);
		const struct cdp_buffer *top = __atomic_load_n(&cache->top, __ATOMIC_RELAXED);
		count = cdp_buffers_between(bottom, top);
		if (count <= pool->magazine_capacity)
			break;
	}
	if (count > pool->magazine_capacity)
		count = pool->magazine_capacity;
	return (uint32_t)count + __atomic_load_n(&cache->previous_count, __ATOMIC_RELAXED);
}

void cdp_pool_read_figures(cdp_pool *pool, struct cdp_pool_figures *figures)
{
	struct cdp_pool_figures sum = { 0 };
	pthread_mutex_lock(&pool->lock); /* nobody grows or trims meanwhile */
	sum.capacity = pool->buffer_count;
	sum.in_depot = pool_total(pool, &pool->full);
	sum.in_depot += pool_total(pool, &pool->partial);
	sum.peak = load32(&pool->direct_peak);
	sum.refills = cdp_load_relaxed(&pool->direct_refills);
	sum.failures = cdp_load_relaxed(&pool->direct_failures);
	for (uint32_t slot = 1; slot <= CDP_THREAD_CAPACITY; slot++) {
		const struct cdp_pool_cache *cache = &pool->caches[slot];
		sum.in_caches += cached(pool, cache);
		sum.refills += cdp_load_relaxed(&cache->refills);
		sum.spills += cdp_load_relaxed(&cache->spills);
		sum.failures += cdp_load_relaxed(&cache->failures);
		if (load32(&cache->peak) > sum.peak)
			sum.peak = load32(&cache->peak);
	}
	pthread_mutex_unlock(&pool->lock);
	uint64_t idle = sum.in_depot + sum.in_caches;
	sum.in_use = idle < sum.capacity ? sum.capacity - idle : 0;
	if (sum.peak < sum.in_use)
		sum.peak = sum.in_use;
	*figures = sum;
}
