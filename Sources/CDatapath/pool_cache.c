#include "pool_internal.h"

/* The slow paths of take and give, and the flush. A cache's two magazines may both be partial;
 * what goes to the depot is full or empty. */

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void store(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static void add_one(uint64_t *word)
{
	cdp_store_relaxed(word, cdp_load_relaxed(word) + 1);
}

/* The three that the inline operations use: relaxed, as others read them for the figures. */
static void set_place(struct cdp_pool_cache *cache, struct cdp_buffer *bottom,
		      struct cdp_buffer *top, struct cdp_buffer *limit)
{
	__atomic_store_n(&cache->bottom, bottom, __ATOMIC_RELAXED);
	__atomic_store_n(&cache->top, top, __ATOMIC_RELAXED);
	__atomic_store_n(&cache->limit, limit, __ATOMIC_RELAXED);
}

static void load_magazine(struct cdp_pool *pool, struct cdp_pool_cache *cache, uint32_t number,
			  uint32_t count)
{
	struct cdp_buffer *elements = pool_elements(pool, number);
	cache->loaded = number;
	set_place(cache, elements, elements + count, elements + pool->magazine_capacity);
}

static uint32_t loaded_count(const struct cdp_pool_cache *cache)
{
	return (uint32_t)cdp_buffers_between(cache->bottom, cache->top);
}

static void swap(struct cdp_pool *pool, struct cdp_pool_cache *cache)
{
	uint32_t number = cache->previous, count = load(&cache->previous_count);
	cache->previous = cache->loaded;
	store(&cache->previous_count, loaded_count(cache));
	load_magazine(pool, cache, number, count);
}

/* The calling thread's cache with its magazines; NULL where it works on the depot directly. */
static struct cdp_pool_cache *usable_cache(struct cdp_pool *pool)
{
	if (pool->options.cache_capacity == 0)
		return NULL;
	uint32_t index = cdp_thread_index();
	if (index == CDP_NO_THREAD)
		return NULL;
	struct cdp_pool_cache *cache = &pool->caches[index + 1];
	if (cache->loaded == 0) {
		cache->previous = pool_pop_empty(pool);
		store(&cache->previous_count, 0);
		load_magazine(pool, cache, pool_pop_empty(pool), 0);
	}
	return cache;
}

/* Takes from the loaded magazine. */
static size_t take_loaded(struct cdp_pool_cache *cache, struct cdp_buffer *buffers, size_t count)
{
	size_t there = loaded_count(cache);
	size_t some = count < there ? count : there;
	struct cdp_buffer *top = cache->top - some;
	cdp_buffers_copy(buffers, top, some);
	__atomic_store_n(&cache->top, top, __ATOMIC_RELAXED);
	return some;
}

/* Gives to the loaded magazine. */
static size_t give_loaded(struct cdp_pool_cache *cache, const struct cdp_buffer *buffers,
			  size_t count)
{
	size_t room = cdp_buffers_between(cache->top, cache->limit);
	size_t some = count < room ? count : room;
	cdp_buffers_copy(cache->top, buffers, some);
	__atomic_store_n(&cache->top, cache->top + some, __ATOMIC_RELAXED);
	return some;
}

/* What an exchange is about to write. Each of these lines, and each of the magazine's, is likely to
 * be another processor's, and costs a journey there: they are made together. */
static void announce_exchange(struct cdp_pool *pool, const struct cdp_pool_cache *cache)
{
	prefetch_to_write(&pool->full.head);
	prefetch_to_write(&pool->empty.head);
	prefetch_to_write(pool_magazine(pool, cache->loaded));
}

static void fetch_elements(struct cdp_pool *pool, uint32_t number, bool to_write)
{
	const char *elements = (const char *)pool_elements(pool, number);
	for (size_t offset = 0; offset < pool->magazine_byte_count; offset += 64) {
		if (to_write)
			prefetch_to_write(elements + offset);
		else
			__builtin_prefetch(elements + offset);
	}
}

/* Exchanges the loaded magazine, which is empty, for one with buffers. */
static bool refill(struct cdp_pool *pool, struct cdp_pool_cache *cache)
{
	uint32_t count, below;
	announce_exchange(pool, cache);
	uint32_t likely = (uint32_t)cdp_load_relaxed(&pool->full.head);
	if (likely)
		fetch_elements(pool, likely, false);
	uint32_t number = pool_pop(pool, &pool->full, &count, &below);
	if (number == 0) {
		number = pool_pop(pool, &pool->partial, &count, &below);
		below = 0; /* none are in full ones */
	}
	if (number == 0)
		return false;
	pool_push(pool, &pool->empty, cache->loaded, 0);
	load_magazine(pool, cache, number, count);
	add_one(&cache->refills);
	pool_note_depot(pool, below, &cache->peak);
	return true;
}

/* Exchanges the loaded magazine, which is full, for an empty one. */
static void spill(struct cdp_pool *pool, struct cdp_pool_cache *cache)
{
	announce_exchange(pool, cache);
	uint32_t number = pool_pop_empty(pool);
	fetch_elements(pool, number, true);
	pool_push(pool, &pool->full, cache->loaded, pool->magazine_capacity);
	load_magazine(pool, cache, number, 0);
	add_one(&cache->spills);
}

static size_t take(struct cdp_pool *pool, struct cdp_buffer *buffers, size_t count)
{
	struct cdp_pool_cache *cache = usable_cache(pool);
	if (!cache)
		return pool_take_direct(pool, buffers, count);
	size_t done = 0;
	/* In one piece, if the other magazine has as much: a burst across the boundary would come
	 * here again and again. */
	if (load(&cache->previous_count) < count)
		done = take_loaded(cache, buffers, count);
	if (done < count && load(&cache->previous_count) > 0) {
		swap(pool, cache);
		done += take_loaded(cache, buffers + done, count - done);
	}
	while (done < count && refill(pool, cache))
		done += take_loaded(cache, buffers + done, count - done);
	if (done < count) {
		add_one(&cache->failures);
		pool_raise_low_water(pool);
	}
	return done;
}

static void give(struct cdp_pool *pool, const struct cdp_buffer *buffers, size_t count)
{
	struct cdp_pool_cache *cache = usable_cache(pool);
	if (!cache) {
		pool_give_direct(pool, buffers, count);
		return;
	}
	size_t done = 0;
	if (load(&cache->previous_count) + count > pool->magazine_capacity)
		done = give_loaded(cache, buffers, count);
	if (done < count && load(&cache->previous_count) < pool->magazine_capacity) {
		swap(pool, cache);
		done += give_loaded(cache, buffers + done, count - done);
	}
	while (done < count) {
		/* Both are full: the one used longer ago goes. */
		swap(pool, cache);
		spill(pool, cache);
		done += give_loaded(cache, buffers + done, count - done);
	}
}

size_t cdp_pool_take_bulk_slowly(cdp_pool *pool, struct cdp_buffer *buffers, size_t count)
{
	size_t done = take(pool, buffers, count);
	if (pool->options.checks)
		pool_check_taken(pool, buffers, done);
	return done;
}

void cdp_pool_give_bulk_slowly(cdp_pool *pool, const struct cdp_buffer *buffers, size_t count)
{
	if (pool->options.checks)
		pool_check_given(pool, buffers, count);
	give(pool, buffers, count);
}

struct cdp_buffer cdp_pool_take_slowly(cdp_pool *pool)
{
	struct cdp_buffer buffer = { 0, 0 };
	cdp_pool_take_bulk_slowly(pool, &buffer, 1);
	return buffer;
}

void cdp_pool_give_slowly(cdp_pool *pool, struct cdp_buffer buffer)
{
	cdp_pool_give_bulk_slowly(pool, &buffer, 1);
}

static void put_back(struct cdp_pool *pool, uint32_t number, uint32_t count)
{
	if (count == pool->magazine_capacity) {
		pool_push(pool, &pool->full, number, count);
		return;
	}
	/* Into the partial one that is there, if one is: they do not pile up. */
	pool_give_direct(pool, pool_elements(pool, number), count);
	pool_push(pool, &pool->empty, number, 0);
}

void pool_flush(struct cdp_pool *pool, struct cdp_pool_cache *cache)
{
	if (cache->loaded == 0)
		return;
	uint32_t loaded = cache->loaded, previous = cache->previous;
	uint32_t count = loaded_count(cache), previous_count = load(&cache->previous_count);
	set_place(cache, NULL, NULL, NULL);
	store(&cache->previous_count, 0);
	cache->loaded = 0;
	cache->previous = 0;
	put_back(pool, loaded, count);
	put_back(pool, previous, previous_count);
}
