#ifndef CDATAPATH_THREADS_H
#define CDATAPATH_THREADS_H

#include <stdint.h>

/* A small number for each running thread, so that a structure shared by threads can keep a part
 * for each of them in an array. Swift has no thread-local variable that costs a plain load.
 *
 * A thread has its number from its first call to its end; then another thread may get it, the
 * lowest free one first. So what a structure keeps under a number passes to the next thread of
 * that number: it is never stranded, and a structure learns nothing of threads' ends.
 *
 * Everything here is process-wide and lock-free. */

/* Numbers run from 0 to one less. Threads beyond get CDP_NO_THREAD, and so does a thread whose
 * destructors of thread-specific data run: callers then use what all threads share. */
#define CDP_THREAD_CAPACITY 256u
#define CDP_NO_THREAD 0xfffffffeu

/* The number plus 1; 0 while the thread has none. Read through cdp_thread_index alone.
 * initial-exec: a load relative to the thread pointer, in a shared library too, where the default
 * would be a call. */
extern _Thread_local uint32_t cdp_thread_number __attribute__((tls_model("initial-exec")));

/* Takes a number, or answers CDP_NO_THREAD. No memory is allocated; the first call of a thread
 * registers the release at its end. */
uint32_t cdp_thread_index_assign(void);

/* The calling thread's number, below CDP_THREAD_CAPACITY, or CDP_NO_THREAD. */
static inline uint32_t cdp_thread_index(void)
{
	uint32_t number = cdp_thread_number;
	return __builtin_expect(number != 0, 1) ? number - 1 : cdp_thread_index_assign();
}

#endif
