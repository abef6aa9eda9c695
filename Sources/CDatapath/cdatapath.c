#define _GNU_SOURCE /* for PTHREAD_MUTEX_ADAPTIVE_NP */
#include "cdatapath_atomics.h"
#include "cdatapath_memory.h"
#include "cdatapath_mutex.h"
#include "cdatapath_threads.h"
#include "pool_internal.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define WORD_BITS 64u
#define WORDS (CDP_THREAD_CAPACITY / WORD_BITS)

__thread uint32_t cdp_thread_number;
__thread uint64_t cdp_thread_offset;

static void set_number(uint32_t number)
{
	cdp_thread_number = number;
	cdp_thread_offset = (uint64_t)number * CDP_THREAD_PART;
}

/* A set bit is a number in use. After fork the child's copy keeps the numbers of threads that it
 * does not have: they are lost to it, and it has 256. */
static uint64_t numbers_in_use[WORDS];
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;

static void give_number_back(void *value)
{
	uintptr_t number = (uintptr_t)value - 1;
	cdp_pool_thread_ends((uint32_t)number);
	/* Other destructors may come after this one: their thread has no number any more, or it
	 * would keep one for ever. */
	set_number(CDP_NO_THREAD + 1);
	/* Release: the next owner sees what this thread did under the number. */
	__atomic_fetch_and(&numbers_in_use[number / WORD_BITS],
			   ~((uint64_t)1 << (number % WORD_BITS)), __ATOMIC_RELEASE);
}

static void make_key(void)
{
	has_key = pthread_key_create(&key, give_number_back) == 0;
}

static uint32_t take_number(void)
{
	for (uint32_t word = 0; word < WORDS; word++) {
		uint64_t used = __atomic_load_n(&numbers_in_use[word], __ATOMIC_RELAXED);
		while (~used) {
			uint32_t bit = (uint32_t)__builtin_ctzll(~used);
			if (__atomic_compare_exchange_n(&numbers_in_use[word], &used,
							used | (uint64_t)1 << bit, false,
							__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
				return word * WORD_BITS + bit;
		}
	}
	return CDP_NO_THREAD;
}

uint32_t cdp_thread_index_assign(void)
{
	pthread_once(&key_once, make_key);
	if (!has_key)
		return CDP_NO_THREAD;
	uint32_t index = take_number();
	if (index == CDP_NO_THREAD)
		return index; /* asked again at the next call: some thread may have ended */
	if (pthread_setspecific(key, (void *)(uintptr_t)(index + 1)) != 0) {
		give_number_back((void *)(uintptr_t)(index + 1));
		return CDP_NO_THREAD;
	}
	set_number(index + 1);
	return index;
}

void cdp_gate_wait(uint32_t *gate)
{
	for (uint32_t tries = 0; !cdp_gate_try(gate); tries++) {
		if (tries % 128 == 127) {
			sched_yield();
			continue;
		}
#if defined(__x86_64__)
		__builtin_ia32_pause();
#elif defined(__aarch64__)
		__asm__ __volatile__("yield");
#endif
	}
}

void *cdp_memory_allocate(size_t byte_count, size_t alignment)
{
	void *memory = NULL;
	return posix_memalign(&memory, alignment, byte_count) == 0 ? memory : NULL;
}

void cdp_memory_free(void *memory)
{
	free(memory);
}

struct cdp_mutex {
	_Alignas(128) pthread_mutex_t mutex;
};

/* None of these fails for a mutex that is used rightly: anything else is a bug of ours, and going
 * on would corrupt what it protects. */
static void require(int error)
{
	if (error)
		abort();
}

cdp_mutex *cdp_mutex_create(void)
{
	cdp_mutex *mutex = aligned_alloc(_Alignof(cdp_mutex), sizeof(cdp_mutex));
	if (!mutex)
		abort();
	pthread_mutexattr_t attributes;
	require(pthread_mutexattr_init(&attributes));
#ifdef PTHREAD_MUTEX_ADAPTIVE_NP
	/* Most holders are gone in less time than sleeping takes. */
	require(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP));
#endif
	require(pthread_mutex_init(&mutex->mutex, &attributes));
	pthread_mutexattr_destroy(&attributes);
	return mutex;
}

void cdp_mutex_destroy(cdp_mutex *mutex)
{
	require(pthread_mutex_destroy(&mutex->mutex));
	free(mutex);
}

void cdp_mutex_lock(cdp_mutex *mutex)
{
	require(pthread_mutex_lock(&mutex->mutex));
}

void cdp_mutex_unlock(cdp_mutex *mutex)
{
	require(pthread_mutex_unlock(&mutex->mutex));
}
