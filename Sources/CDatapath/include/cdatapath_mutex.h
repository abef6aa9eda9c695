#ifndef CDATAPATH_MUTEX_H
#define CDATAPATH_MUTEX_H

#include <pthread.h>

/* A lock that sleeps. Not Swift's Mutex: ThreadSanitizer cannot see what the kernel writes into
 * that one's word, and reports races where there are none.
 *
 * Alone on its cache lines, so that waiting for it disturbs nothing beside it. */
typedef struct cdp_mutex {
	_Alignas(128) pthread_mutex_t mutex;
} cdp_mutex;

void cdp_mutex_init(cdp_mutex *mutex);
void cdp_mutex_destroy(cdp_mutex *mutex);
void cdp_mutex_lock(cdp_mutex *mutex);
void cdp_mutex_unlock(cdp_mutex *mutex);

#endif
