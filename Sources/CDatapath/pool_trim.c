#include "pool_internal.h"

#include <stdlib.h>

/* Takes wholly free regions out of a pool that others use. */

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* Calls for each of the list's magazines, which are the caller's alone; `next` is read before, so
 * that the magazine may be pushed somewhere. */
typedef void visit(struct cdp_pool *pool, uint32_t number, uint32_t count);

static void for_each(struct cdp_pool *pool, uint32_t number, visit *body)
{
	while (number) {
		struct magazine *magazine = pool_magazine(pool, number);
		uint32_t next = load(&magazine->next);
		body(pool, number, load(&magazine->count));
		number = next;
	}
}

static void count_free(struct cdp_pool *pool, uint32_t number, uint32_t count)
{
	const struct cdp_buffer *elements = pool_elements(pool, number);
	for (uint32_t i = 0; i < count; i++) {
		struct region *region = pool_region(pool, elements[i].address);
		if (region) /* always, unless a foreign buffer was given */
			region->free_count++;
	}
}

static bool goes(const struct region *region)
{
	return !region->is_first && region->free_count == region->place.count;
}

/* Puts the buffers that stay back. */
static void put_back(struct cdp_pool *pool, uint32_t number, uint32_t count)
{
	struct cdp_buffer *elements = pool_elements(pool, number);
	uint32_t kept = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct region *region = pool_region(pool, elements[i].address);
		if (!region || !goes(region))
			elements[kept++] = elements[i];
	}
	if (kept == pool->magazine_capacity) {
		pool_push(pool, &pool->full, number, kept);
		return;
	}
	pool_give_direct(pool, elements, kept);
	pool_push(pool, &pool->empty, number, 0);
}

/* Pushing turns a list around: the last to go back is the first to be taken. */
static uint32_t reversed(struct cdp_pool *pool, uint32_t number)
{
	uint32_t behind = 0;
	while (number) {
		struct magazine *magazine = pool_magazine(pool, number);
		uint32_t next = load(&magazine->next);
		__atomic_store_n(&magazine->next, behind, __ATOMIC_RELAXED);
		behind = number;
		number = next;
	}
	return behind;
}

size_t cdp_pool_trim(cdp_pool *pool, struct cdp_pool_region *removed, size_t limit)
{
	uint32_t index = cdp_thread_index();
	if (index != CDP_NO_THREAD)
		pool_flush(pool, &pool->caches[index + 1]);
	pthread_mutex_lock(&pool->lock);
	for (size_t i = 0; i < pool->region_count; i++)
		pool->regions[i].free_count = 0;
	uint32_t full = reversed(pool, pool_drain(&pool->full));
	uint32_t partial = pool_drain(&pool->partial);
	for_each(pool, full, count_free);
	for_each(pool, partial, count_free);
	size_t going = 0;
	for (size_t i = 0; i < pool->region_count; i++) {
		struct region *region = &pool->regions[i];
		if (goes(region) && going++ >= limit)
			region->free_count = 0; /* there is no room to name it: it stays */
	}
	for_each(pool, full, put_back);
	for_each(pool, partial, put_back);
	size_t kept = 0, gone = 0;
	uint32_t buffers = pool->buffer_count;
	for (size_t i = 0; i < pool->region_count; i++) {
		struct region region = pool->regions[i];
		if (goes(&region)) {
			removed[gone++] = region.place;
			buffers -= region.place.count;
			free(region.states);
		} else {
			pool->regions[kept++] = region;
		}
	}
	pool->region_count = kept;
	__atomic_store_n(&pool->buffer_count, buffers, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&pool->lock);
	return gone;
}
