#ifndef CBENCHMARK_H
#define CBENCHMARK_H

#include "cbench_pool.h"

#include <stddef.h>
#include <stdint.h>

/* Ticks, read so that no earlier instruction ends after and no later one starts before the read.
 * x86: lfence waits for what came before rdtsc; rdtscp waits by itself, and the lfence after it
 * holds back what follows (Intel SDM volume 2B, RDTSC and RDTSCP). arm64: isb around cntvct. */
#if defined(__x86_64__)
static inline uint64_t cbench_ticks_begin(void)
{
	uint32_t low, high;
	__asm__ __volatile__("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
	return ((uint64_t)high << 32) | low;
}

static inline uint64_t cbench_ticks_end(void)
{
	uint32_t low, high, aux;
	__asm__ __volatile__("rdtscp\n\tlfence" : "=a"(low), "=d"(high), "=c"(aux) : : "memory");
	return ((uint64_t)high << 32) | low;
}
#elif defined(__aarch64__)
static inline uint64_t cbench_ticks_begin(void)
{
	uint64_t ticks;
	__asm__ __volatile__("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks) : : "memory");
	return ticks;
}

static inline uint64_t cbench_ticks_end(void)
{
	uint64_t ticks;
	__asm__ __volatile__("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r"(ticks) : : "memory");
	return ticks;
}
#else
#error "no tick counter is known for this architecture"
#endif

/* The same value, of which the compiler knows nothing. */
static inline uint64_t cbench_opaque(uint64_t value)
{
	__asm__ __volatile__("" : "+r"(value));
	return value;
}

/* Tells the processor that this thread spins. */
static inline void cbench_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#else
	__asm__ __volatile__("yield");
#endif
}

/* CLOCK_MONOTONIC_RAW in nanoseconds. */
uint64_t cbench_monotonic_ns(void);

/* Sleeps for about as long. */
void cbench_sleep_ns(uint64_t nanoseconds);

/* Binds the calling thread to the nth of the processors that it may use, counted from 0 and round
 * again. Returns 0 or -errno. */
int cbench_pin_thread(unsigned int nth);

/* CLOCK_PROCESS_CPUTIME_ID: what all threads of the process have used of processors, in
 * nanoseconds. */
uint64_t cbench_process_ns(void);

/* CLOCK_THREAD_CPUTIME_ID: the same of the calling thread. */
uint64_t cbench_thread_ns(void);

/* Gives the heap's free pages back to the kernel. */
void cbench_trim_heap(void);

/* A shared mapping of a new memfd; the descriptor is closed again, the mapping keeps the memory.
 * huge_page_shift: 0 for the page cache's own pages, 21 or 30 for hugetlb pages of 2^shift bytes.
 * Returns 0 or -errno. */
int cbench_map(size_t byte_count, unsigned int huge_page_shift, void **mapping);
int cbench_unmap(void *mapping, size_t byte_count);

/* madvise with MADV_POPULATE_WRITE, MADV_HUGEPAGE, MADV_COLLAPSE. Return 0 or -errno. */
int cbench_populate(void *mapping, size_t byte_count);

/* What `threads` threads, taking `chunk` bytes in turn, make of it: MADV_POPULATE_WRITE of each
 * chunk, and with `collapse` MADV_COLLAPSE after it. Returns 0 or the first -errno. */
int cbench_populate_on(int threads, void *mapping, size_t byte_count, size_t chunk, int collapse);
int cbench_advise_huge(void *mapping, size_t byte_count);
int cbench_collapse(void *mapping, size_t byte_count);

/* One UPDATE by hand on a vhost-vdpa device that nobody has open, over `byte_count` bytes of
 * memory, and its INVALIDATE: the ticks that each write takes. Returns 0 or -errno. */
int cbench_raw_update(const char *path, void *memory, size_t byte_count, uint64_t *map_ticks,
		      uint64_t *unmap_ticks);

#endif
