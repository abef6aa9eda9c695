#include "pool_internal.h"

#include <stdlib.h>

/* The pools of the process, so that a thread that ends can empty its caches. Only who makes or ends
 * a pool takes the lock, and a thread that ends. */

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static struct cdp_pool *first_pool;

static void require(int error)
{
	if (error)
		abort();
}

static void lock(void)
{
	require(pthread_mutex_lock(&registry));
}

static void unlock(void)
{
	require(pthread_mutex_unlock(&registry));
}

/* A child has the pools and one thread. What other threads had in caches is lost to it; their
 * numbers are never given back there, so nobody looks at those caches. */
static void make_fork_safe(void)
{
	require(pthread_atfork(lock, unlock, unlock));
}

void pool_register(struct cdp_pool *pool)
{
	require(pthread_once(&fork_once, make_fork_safe));
	lock();
	pool->previous_pool = NULL;
	pool->next_pool = first_pool;
	if (first_pool)
		first_pool->previous_pool = pool;
	first_pool = pool;
	unlock();
}

void pool_unregister(struct cdp_pool *pool)
{
	lock();
	if (pool->previous_pool)
		pool->previous_pool->next_pool = pool->next_pool;
	else
		first_pool = pool->next_pool;
	if (pool->next_pool)
		pool->next_pool->previous_pool = pool->previous_pool;
	unlock();
}

void cdp_pool_thread_ends(uint32_t index)
{
	lock();
	for (struct cdp_pool *pool = first_pool; pool; pool = pool->next_pool)
		pool_flush(pool, &pool->caches[index + 1]);
	unlock();
}
