#ifndef CDATAPATH_THREADS_H
#define CDATAPATH_THREADS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What inline functions of an installed header refer to has a name that the C library exports. */
#define CDP_EXPORTED(name) __asm__(name)

/* A small number for each running thread, so that a structure shared by threads can keep a part
 * for each of them in an array. Swift has no thread-local variable that costs a plain load.
 *
 * A thread has its number from its first call to its end; then another thread may get it, the
 * lowest free one first. So what a structure keeps under a number passes to the next thread of
 * that number: it is never stranded, though a structure learns nothing of threads' ends. Pools of
 * buffers do: what such a thread keeps goes back to them before its number does.
 *
 * Everything here is process-wide and, but for a thread's end, lock-free. */

/* Numbers run from 0 to one less. Threads beyond get CDP_NO_THREAD, and so does a thread whose
 * destructors of thread-specific data run: callers then use what all threads share. */
#define CDP_THREAD_CAPACITY 256u
#define CDP_NO_THREAD CDP_THREAD_CAPACITY

/* The number plus 1: 0 while the thread has none, CDP_NO_THREAD + 1 once it has given it back. Read
 * through cdp_thread_index alone.
 * initial-exec: a load relative to the thread pointer, in a shared library too, where the default
 * would be a call. */
extern __thread uint32_t cdp_thread_number __attribute__((tls_model("initial-exec")));

/* The same times CDP_THREAD_PART: where the thread's part of an array begins that has
 * CDP_THREAD_SLOTS parts of so many bytes. The first and the last stand for no thread. */
#define CDP_THREAD_PART 128u
#define CDP_THREAD_SLOTS (CDP_THREAD_CAPACITY + 2u)
extern __thread uint64_t cdp_thread_offset CDP_EXPORTED("vdm_inline_thread_offset")
	__attribute__((tls_model("initial-exec")));

/* Takes a number, or answers CDP_NO_THREAD. No memory is allocated; the first call of a thread
 * registers the release at its end. */
uint32_t cdp_thread_index_assign(void);

/* The calling thread's number, below CDP_THREAD_CAPACITY, or CDP_NO_THREAD. */
static inline uint32_t cdp_thread_index(void)
{
	uint32_t number = cdp_thread_number;
	return __builtin_expect(number != 0, 1) ? number - 1 : cdp_thread_index_assign();
}

#ifdef __cplusplus
}
#endif

#endif
