#ifndef POOL_INTERNAL_H
#define POOL_INTERNAL_H

#include "cdatapath_pool.h"

#include <pthread.h>

/* What the parts of the pool share, and no user sees.
 *
 * Magazines have numbers from 1; 0 is none. Their elements stand in banks, apart from their links
 * and counts, each bank twice as large as the one before: a bank is found from a number by its
 * highest bit, and never moves. Banks stay until the pool goes, so that whoever still reads the
 * link of a magazine that another thread has just popped reads memory of the pool.
 *
 * There are always enough magazines. Let N be the buffers, M a magazine's capacity, T the thread
 * numbers, and D the threads that are in the midst of a direct operation on the depot: threads
 * without a number, and who flushes, grows or trims. At any moment a magazine is
 *   - full, wherever it is: at most N / M;
 *   - else in the cache of a number: at most 2 T;
 *   - else in the hand of a thread with a number that exchanges it: at most T;
 *   - else partial, in the depot or in the hand of one of the D: at most D, and D more in the hand
 *     of the one thread that trims, who drains the depot first. For each of the others holds one
 *     magazine at a time, and makes a new one partial only after it has found none. Let P be the
 *     partial ones and S the threads that have found none and not made theirs yet: P + S <= D
 *     always. When a thread finds none, all P are in others' hands, and neither those nor the ones
 *     in S are that thread, so P + S + 1 <= D, and with it in S P + S <= D holds; when it makes its
 *     partial one, S falls as P rises; a refill with a partial one only lowers P;
 *   - or empty in the depot.
 * So with N / M + 3 T + 2 D magazines, and one for who grows, an empty one is in the depot for
 * whoever needs it, as long as D is at most DIRECT_THREADS; one more than that waits for another's
 * operation to end. */

#define DIRECT_THREADS 256u
#define SPARE_MAGAZINES (3u * CDP_THREAD_CAPACITY + 2u * DIRECT_THREADS + 1u)
#define FIRST_BANK_LOG 10u
#define BANK_COUNT (32u - FIRST_BANK_LOG)

/* On a line of its own: threads that push and pop different magazines must not meet there. */
struct magazine {
	uint32_t next;
	uint32_t count; /* of its buffers, while it is in the depot */
	uint32_t total; /* of the buffers in it and in those below it on its stack */
	uint32_t unused[13];
};

/* Asks for a line that is about to be written, in one journey instead of two. x86: older processors
 * take the instruction for none. */
static inline void prefetch_to_write(const void *address)
{
#if defined(__x86_64__)
	__asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)address));
#else
	__builtin_prefetch(address, 1);
#endif
}

struct bank {
	struct magazine *magazines;
	char *elements;
	size_t byte_count;
};

/* A stack (Treiber, 1986): the top's number in the low half, in the high half a count of changes,
 * so that a top that went and came back is not taken for the old one. Alone on its lines. */
struct stack {
	uint64_t head;
	uint64_t unused[15];
};

struct region {
	struct cdp_pool_region place;
	uint32_t free_count; /* while trimming */
	bool is_first;
	uint8_t *states; /* of each buffer, with checks */
};

struct cdp_pool {
	struct cdp_pool_cache caches[CDP_THREAD_SLOTS];
	struct stack full, partial, empty;

	/* Written rarely. */
	struct cdp_pool_options options;
	size_t magazine_byte_count;
	uint32_t magazine_capacity;
	uint32_t buffer_count;
	struct bank banks[BANK_COUNT];
	uint64_t apart[16];

	/* Shared by those who come without a number, and by who is refused. */
	uint64_t low_water;
	uint64_t direct_refills;
	uint64_t direct_failures;
	uint32_t direct_peak;
	uint64_t unused[16];

	/* Control plane, and checks: behind the lock. Regions by address. */
	pthread_mutex_t lock;
	uint32_t magazine_count;
	uint32_t bank_count;
	size_t region_count, region_capacity;
	struct region *regions;
	struct cdp_pool *next_pool, *previous_pool; /* behind the registry's lock */
};

static inline struct magazine *pool_magazine(struct cdp_pool *pool, uint32_t number)
{
	uint32_t place = number - 1 + (1u << FIRST_BANK_LOG);
	uint32_t log = 31u - (uint32_t)__builtin_clz(place);
	return pool->banks[log - FIRST_BANK_LOG].magazines + (place - (1u << log));
}

static inline struct cdp_buffer *pool_elements(struct cdp_pool *pool, uint32_t number)
{
	uint32_t place = number - 1 + (1u << FIRST_BANK_LOG);
	uint32_t log = 31u - (uint32_t)__builtin_clz(place);
	char *elements = pool->banks[log - FIRST_BANK_LOG].elements;
	return (struct cdp_buffer *)(void *)(elements + (size_t)(place - (1u << log)) *
							     pool->magazine_byte_count);
}

/* pool_depot.c */
uint32_t pool_pop(struct cdp_pool *pool, struct stack *stack, uint32_t *count, uint32_t *below);
void pool_push(struct cdp_pool *pool, struct stack *stack, uint32_t number, uint32_t count);
uint32_t pool_drain(struct stack *stack);
uint32_t pool_total(struct cdp_pool *pool, const struct stack *stack);
uint32_t pool_pop_empty(struct cdp_pool *pool);
size_t pool_take_direct(struct cdp_pool *pool, struct cdp_buffer *buffers, size_t count);
void pool_give_direct(struct cdp_pool *pool, const struct cdp_buffer *buffers, size_t count);
void pool_note_depot(struct cdp_pool *pool, uint32_t in_full, uint32_t *peak);

void pool_raise_low_water(struct cdp_pool *pool);

/* pool_cache.c */
void pool_flush(struct cdp_pool *pool, struct cdp_pool_cache *cache);

/* pool_registry.c */
void pool_register(struct cdp_pool *pool);
void pool_unregister(struct cdp_pool *pool);
/* Puts what the ending thread has in caches back into the depots. It still has its number. */
void cdp_pool_thread_ends(uint32_t index);

/* pool_checks.c: each ends the process where the buffer is not what it should be. */
void pool_check_taken(struct cdp_pool *pool, const struct cdp_buffer *buffers, size_t count);
void pool_check_given(struct cdp_pool *pool, const struct cdp_buffer *buffers, size_t count);
/* The region that holds the address, or NULL. Behind the lock. */
struct region *pool_region(struct cdp_pool *pool, uint64_t address);

#endif
