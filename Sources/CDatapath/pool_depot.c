#include "pool_internal.h"

#include <sched.h>

/* The depot: stacks of full, partial and empty magazines. */

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void store(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static uint64_t moved(uint64_t head, uint32_t top)
{
	return ((head >> 32) + 1) << 32 | top;
}

/* The top magazine's number or 0; with it, its buffers and those of all that are left. The words of
 * a magazine that others pop and push meanwhile are nonsense, and the exchange fails then. */
uint32_t pool_pop(struct cdp_pool *pool, struct stack *stack, uint32_t *count, uint32_t *below)
{
	uint64_t head = __atomic_load_n(&stack->head, __ATOMIC_ACQUIRE);
	for (;;) {
		uint32_t top = (uint32_t)head;
		if (top == 0)
			return 0;
		struct magazine *magazine = pool_magazine(pool, top);
		uint64_t new = moved(head, load(&magazine->next));
		*count = load(&magazine->count);
		*below = *count ? load(&magazine->total) - *count : 0;
		if (__atomic_compare_exchange_n(&stack->head, &head, new, true, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE))
			return top;
	}
}

void pool_push(struct cdp_pool *pool, struct stack *stack, uint32_t number, uint32_t count)
{
	struct magazine *magazine = pool_magazine(pool, number);
	uint64_t head = __atomic_load_n(&stack->head, __ATOMIC_ACQUIRE);
	store(&magazine->count, count);
	do {
		uint32_t top = (uint32_t)head;
		store(&magazine->next, top);
		/* Empty ones need no sum, and so no look at the top's line. */
		if (count)
			store(&magazine->total,
			      count + (top ? load(&pool_magazine(pool, top)->total) : 0));
	} while (!__atomic_compare_exchange_n(&stack->head, &head, moved(head, number), true,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
}

/* Takes all magazines off a stack: the first one, which leads to the others. */
uint32_t pool_drain(struct stack *stack)
{
	uint64_t head = __atomic_load_n(&stack->head, __ATOMIC_ACQUIRE);
	while (!__atomic_compare_exchange_n(&stack->head, &head, moved(head, 0), true,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	return (uint32_t)head;
}

/* The buffers of a stack: as it was at one moment, or, should others never rest, nearly so. */
uint32_t pool_total(struct cdp_pool *pool, const struct stack *stack)
{
	uint32_t total = 0;
	for (int tries = 0; tries < 8; tries++) {
		uint64_t head = __atomic_load_n(&stack->head, __ATOMIC_ACQUIRE);
		if ((uint32_t)head == 0)
			return 0;
		total = load(&pool_magazine(pool, (uint32_t)head)->total);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&stack->head, __ATOMIC_RELAXED) == head)
			break;
	}
	return total;
}

/* There always is one (pool_internal.h), but for a crowd in the midst of direct operations. */
uint32_t pool_pop_empty(struct cdp_pool *pool)
{
	uint32_t number, count, below;
	while ((number = pool_pop(pool, &pool->empty, &count, &below)) == 0)
		sched_yield();
	return number;
}

void pool_raise_low_water(struct cdp_pool *pool)
{
	/* Looked at first: who finds it raised leaves its line alone. */
	if (cdp_load_relaxed(&pool->low_water) == 0)
		__atomic_store_n(&pool->low_water, 1, __ATOMIC_RELEASE);
}

/* What a magazine that left the depot tells: how much is left of the full ones. */
void pool_note_depot(struct cdp_pool *pool, uint32_t in_full, uint32_t *peak)
{
	uint32_t there = in_full;
	uint64_t head = __atomic_load_n(&pool->partial.head, __ATOMIC_ACQUIRE);
	if ((uint32_t)head)
		there += load(&pool_magazine(pool, (uint32_t)head)->total);
	uint32_t all = load(&pool->buffer_count);
	if (there < all) {
		uint32_t old = load(peak);
		/* Several threads share the one of those without a number. */
		while (all - there > old &&
		       !__atomic_compare_exchange_n(peak, &old, all - there, true,
						    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			;
	}
	if (there <= pool->options.low_water_mark)
		pool_raise_low_water(pool);
}

/* Takes from partial magazines, then from full ones. */
size_t pool_take_direct(struct cdp_pool *pool, struct cdp_buffer *buffers, size_t count)
{
	size_t done = 0;
	while (done < count) {
		uint32_t there, below;
		uint32_t number = pool_pop(pool, &pool->partial, &there, &below);
		if (number == 0)
			number = pool_pop(pool, &pool->full, &there, &below);
		if (number == 0)
			break;
		uint32_t some = count - done < there ? (uint32_t)(count - done) : there;
		cdp_buffers_copy(buffers + done, pool_elements(pool, number) + (there - some),
				 some);
		done += some;
		pool_push(pool, there == some ? &pool->empty : &pool->partial, number,
			  there - some);
		__atomic_fetch_add(&pool->direct_refills, 1, __ATOMIC_RELAXED);
		pool_note_depot(pool, pool_total(pool, &pool->full), &pool->direct_peak);
	}
	if (done < count) {
		__atomic_fetch_add(&pool->direct_failures, 1, __ATOMIC_RELAXED);
		pool_raise_low_water(pool);
	}
	return done;
}

void pool_give_direct(struct cdp_pool *pool, const struct cdp_buffer *buffers, size_t count)
{
	while (count > 0) {
		uint32_t there = 0, below;
		uint32_t number = pool_pop(pool, &pool->partial, &there, &below);
		if (number == 0) {
			number = pool_pop_empty(pool);
			there = 0;
		}
		uint32_t room = pool->magazine_capacity - there;
		uint32_t some = count < room ? (uint32_t)count : room;
		cdp_buffers_copy(pool_elements(pool, number) + there, buffers, some);
		pool_push(pool, some == room ? &pool->full : &pool->partial, number, there + some);
		buffers += some;
		count -= some;
	}
}

bool cdp_pool_is_low(const cdp_pool *pool)
{
	return cdp_load_acquire(&pool->low_water) != 0;
}

bool cdp_pool_clear_low_water(cdp_pool *pool)
{
	return __atomic_exchange_n(&pool->low_water, 0, __ATOMIC_ACQ_REL) != 0;
}
