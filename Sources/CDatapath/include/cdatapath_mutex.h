#ifndef CDATAPATH_MUTEX_H
#define CDATAPATH_MUTEX_H

/* A lock that sleeps. Not Swift's Mutex: ThreadSanitizer cannot see what the kernel writes into
 * that one's word, and reports races where there are none.
 *
 * It lies alone on its cache lines, so that waiting for it disturbs nothing beside it; Swift does
 * not import a type of that alignment, so it sees a pointer. */
typedef struct cdp_mutex cdp_mutex;

#if defined(__clang__)
#define CDP_NONNULL _Nonnull
#else
#define CDP_NONNULL
#endif

/* Ends the process where there is no memory, as Swift's own allocations do. */
cdp_mutex *CDP_NONNULL cdp_mutex_create(void);
void cdp_mutex_destroy(cdp_mutex *CDP_NONNULL mutex);
void cdp_mutex_lock(cdp_mutex *CDP_NONNULL mutex);
void cdp_mutex_unlock(cdp_mutex *CDP_NONNULL mutex);

#endif
