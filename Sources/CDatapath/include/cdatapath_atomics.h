#ifndef CDATAPATH_ATOMICS_H
#define CDATAPATH_ATOMICS_H

#include <stdbool.h>
#include <stdint.h>

/* Atomic operations on words in plain memory, which Swift's Atomic type does not offer.
 * ThreadSanitizer knows them: LLVM instruments atomic instructions wherever they stand. */

/* Relaxed: the value alone, no order. A plain load or store on x86-64 and arm64. */
static inline uint64_t cdp_load_relaxed(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline uint64_t cdp_load_acquire(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void cdp_store_relaxed(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline void cdp_store_release(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Whether the word was `from` and is now `to`; acquires and releases if so. */
static inline bool cdp_exchange_if(uint64_t *word, uint64_t from, uint64_t to)
{
	return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/* A lock of one word for what one thread uses nearly always: the owner tries and never waits, and
 * whoever else needs it holds another lock that admits one of them at a time. */
#define CDP_GATE_OPEN 0u
#define CDP_GATE_HELD 1u
#define CDP_GATE_CLOSED 2u /* no thread has used it yet */

static inline bool cdp_gate_try(uint32_t *gate)
{
	uint32_t open = CDP_GATE_OPEN;
	return __atomic_compare_exchange_n(gate, &open, CDP_GATE_HELD, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static inline void cdp_gate_leave(uint32_t *gate)
{
	__atomic_store_n(gate, CDP_GATE_OPEN, __ATOMIC_RELEASE);
}

static inline bool cdp_gate_is_closed(const uint32_t *gate)
{
	return __atomic_load_n(gate, __ATOMIC_RELAXED) == CDP_GATE_CLOSED;
}

#ifdef __cplusplus
extern "C" {
#endif

/* Waits; gives the processor away where the holder seems to have lost his. */
void cdp_gate_wait(uint32_t *gate);

#ifdef __cplusplus
}
#endif

#endif
