#ifndef CDATAPATH_HEAP_H
#define CDATAPATH_HEAP_H

#include "cdatapath_atomics.h"
#include "cdatapath_heap_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What runs per block on a heap: its layout and control plane are in cdatapath_heap_types.h.
 *
 * One thread at a time: see cdp_heap_lock. Nothing here allocates or calls the system. */

/* Stands in the caller's loop, whatever the compiler thinks of its size. */
#define CDP_HEAP_INLINE static inline __attribute__((always_inline))

/* ---- bins ---- */

static inline uint32_t *cdp_heap_first(const struct cdp_heap *heap)
{
	return (uint32_t *)(uintptr_t)(heap + 1);
}

/* No block of the bin is larger. Kept for the bins of several sizes. */
static inline uint32_t *cdp_heap_bound(const struct cdp_heap *heap)
{
	return cdp_heap_first(heap) + CDP_HEAP_BINS;
}

/* The bin in which blocks of the size wait. */
static inline uint32_t cdp_heap_bin(uint32_t size)
{
	if (__builtin_expect(size <= CDP_HEAP_EXACT_BINS, 1))
		return size - 1;
	uint32_t log2 = 31u - (uint32_t)__builtin_clz(size);
	return CDP_HEAP_EXACT_BINS + (log2 - 6) * 16 + ((size >> (log2 - 4)) & 15);
}

/* The lowest bin whose blocks are all of the size or larger. */
static inline uint32_t cdp_heap_fitting_bin(uint32_t size)
{
	if (__builtin_expect(size <= CDP_HEAP_EXACT_BINS, 1))
		return size - 1;
	uint32_t log2 = 31u - (uint32_t)__builtin_clz(size);
	return cdp_heap_bin(size + (1u << (log2 - 4)) - 1);
}

/* The lowest bin from `bin` on that is not empty, or CDP_HEAP_NONE. */
static inline uint32_t cdp_heap_find(const struct cdp_heap *heap, uint32_t bin)
{
	uint32_t word = bin / 64;
	uint64_t bits = heap->words[word] & (~(uint64_t)0 << (bin % 64));
	if (!bits) {
		uint64_t words = heap->summary & (~(uint64_t)1 << word);
		if (!words)
			return CDP_HEAP_NONE;
		word = (uint32_t)__builtin_ctzll(words);
		bits = heap->words[word];
	}
	return word * 64 + (uint32_t)__builtin_ctzll(bits);
}

static inline void cdp_heap_set_first(struct cdp_heap *heap, uint32_t bin, uint32_t at)
{
	cdp_heap_first(heap)[bin] = at;
	if (at == CDP_HEAP_NONE) {
		uint64_t bits = heap->words[bin / 64] & ~((uint64_t)1 << (bin % 64));
		heap->words[bin / 64] = bits;
		heap->summary &= ~((uint64_t)(bits == 0) << (bin / 64));
	}
}

static inline void cdp_heap_link(struct cdp_heap *heap, uint32_t at, uint32_t size)
{
	uint32_t bin = cdp_heap_bin(size);
	uint32_t next = cdp_heap_first(heap)[bin];
	heap->nodes[at].u.link.next = next;
	if (next != CDP_HEAP_NONE)
		heap->nodes[next].u.link.prev = at;
	cdp_heap_first(heap)[bin] = at;
	heap->words[bin / 64] |= (uint64_t)1 << (bin % 64);
	heap->summary |= (uint64_t)1 << (bin / 64);
	if (bin >= CDP_HEAP_EXACT_BINS && cdp_heap_bound(heap)[bin] < size)
		cdp_heap_bound(heap)[bin] = size;
}

static inline void cdp_heap_unlink(struct cdp_heap *heap, uint32_t at, uint32_t size)
{
	uint32_t bin = cdp_heap_bin(size);
	uint32_t next = heap->nodes[at].u.link.next;
	if (cdp_heap_first(heap)[bin] == at) {
		cdp_heap_set_first(heap, bin, next);
		return;
	}
	uint32_t prev = heap->nodes[at].u.link.prev;
	heap->nodes[prev].u.link.next = next;
	if (next != CDP_HEAP_NONE)
		heap->nodes[next].u.link.prev = prev;
}

/* ---- take and give ---- */

static inline void cdp_heap_raise_low(struct cdp_heap *heap)
{
	__atomic_store_n(&heap->is_low, 1, __ATOMIC_RELAXED);
}

static inline struct cdp_block cdp_heap_no_block(void)
{
	struct cdp_block none = { 0, 0, 0 };
	return none;
}

/* A node for a block; there is one for each granule. */
CDP_HEAP_INLINE uint32_t cdp_heap_new_node(struct cdp_heap *heap)
{
	uint32_t at = heap->spare;
	if (__builtin_expect(at == CDP_HEAP_NONE, 0))
		return heap->untouched++;
	heap->spare = heap->nodes[at].u.link.next;
	return at;
}

CDP_HEAP_INLINE void cdp_heap_drop_node(struct cdp_heap *heap, uint32_t at)
{
	heap->nodes[at].size = 0;
	heap->nodes[at].u.link.next = heap->spare;
	heap->spare = at;
}

/* Leaves the first `granules` to a block that is in no bin; what is behind them becomes a block of
 * its own, in no bin either, and is returned. */
CDP_HEAP_INLINE uint32_t cdp_heap_split(struct cdp_heap *heap, uint32_t at, uint32_t granules)
{
	struct cdp_heap_node *node = &heap->nodes[at];
	uint32_t behind = cdp_heap_new_node(heap);
	struct cdp_heap_node *rest = &heap->nodes[behind];
	uint32_t after = node->after;
	rest->start = node->start + granules;
	rest->size = node->size - granules;
	rest->before = at;
	rest->after = after;
	rest->extent = node->extent;
	if (after != CDP_HEAP_NONE)
		heap->nodes[after].before = behind;
	node->after = behind;
	node->size = granules;
	return behind;
}

/* Hands out the first `granules` of a free block that is in no bin any more. */
CDP_HEAP_INLINE struct cdp_block cdp_heap_cut(struct cdp_heap *heap, uint32_t at, uint32_t granules,
					    uint64_t byte_count)
{
	struct cdp_heap_node *node = &heap->nodes[at];
	if (node->size != granules) {
		uint32_t behind = cdp_heap_split(heap, at, granules);
		cdp_heap_link(heap, behind, heap->nodes[behind].size);
	}
	const struct cdp_heap_extent *extent = &heap->extents[node->extent];
	uint64_t offset = (uint64_t)node->start << heap->granule_log2;
	uint32_t waste = (uint32_t)(((uint64_t)granules << heap->granule_log2) - byte_count);
	struct cdp_block block;
	block.address = extent->address + offset;
	block.iova = extent->iova + offset;
	heap->serial += CDP_BLOCK_SERIAL;
	block.token = heap->serial | (uint64_t)(granules - 1) << CDP_BLOCK_SIZE_SHIFT | at;
	node->size = granules | CDP_HEAP_LIVE;
	node->u.token = block.token;
	node->waste = waste;
	heap->live_blocks++;
	heap->waste += waste;
	heap->free_granules -= granules;
	if (__builtin_expect(heap->free_granules < heap->low_granules, 0))
		cdp_heap_raise_low(heap);
	return block;
}

/* Where no bin has a block that certainly fits, or an alignment is asked for. */
struct cdp_block cdp_heap_take_searching(struct cdp_heap *heap, uint32_t granules,
					 uint64_t byte_count, uint64_t alignment);

static inline bool cdp_heap_is_askable(const struct cdp_heap *heap, uint64_t byte_count)
{
	return byte_count - 1 < heap->largest_ask;
}

static inline uint32_t cdp_heap_granules(const struct cdp_heap *heap, uint64_t byte_count)
{
	return (uint32_t)((byte_count - 1) >> heap->granule_log2) + 1;
}

/* A block of at least so many bytes, aligned to a granule. None for a size of 0 or one larger than
 * an extent may be; where none fits, the flag is raised. */
CDP_HEAP_INLINE struct cdp_block cdp_heap_take(struct cdp_heap *heap, uint64_t byte_count)
{
	if (__builtin_expect(!cdp_heap_is_askable(heap, byte_count), 0))
		return cdp_heap_no_block();
	uint32_t granules = cdp_heap_granules(heap, byte_count);
	uint32_t bin = cdp_heap_find(heap, cdp_heap_fitting_bin(granules));
	if (__builtin_expect(bin == CDP_HEAP_NONE, 0))
		return cdp_heap_take_searching(heap, granules, byte_count, 1);
	uint32_t at = cdp_heap_first(heap)[bin];
	uint32_t next = heap->nodes[at].u.link.next;
	/* The next block of the size will be this one: fetched while nothing waits for it. */
	if (next != CDP_HEAP_NONE)
		__builtin_prefetch(&heap->nodes[next], 1);
	cdp_heap_set_first(heap, bin, next);
	return cdp_heap_cut(heap, at, granules, byte_count);
}

/* The same, with address and IOVA both multiples of `alignment`, a power of two. */
CDP_HEAP_INLINE struct cdp_block cdp_heap_take_aligned(struct cdp_heap *heap, uint64_t byte_count,
						     uint64_t alignment)
{
	if (alignment >> heap->granule_log2 <= 1)
		return cdp_heap_take(heap, byte_count);
	if (!cdp_heap_is_askable(heap, byte_count) || alignment - 1 >= heap->largest_ask)
		return cdp_heap_no_block();
	return cdp_heap_take_searching(heap, cdp_heap_granules(heap, byte_count), byte_count,
				       alignment);
}

/* Takes a block back and joins it with free neighbours. False, and nothing changed, for a block
 * that is not out: given already, or of another heap. */
CDP_HEAP_INLINE bool cdp_heap_give(struct cdp_heap *heap, struct cdp_block block)
{
	uint32_t at = (uint32_t)block.token & (CDP_HEAP_NODE_LIMIT - 1);
	if (__builtin_expect(at >= heap->untouched, 0))
		return false;
	struct cdp_heap_node *node = &heap->nodes[at];
	if (__builtin_expect(!(node->size & CDP_HEAP_LIVE) || node->u.token != block.token, 0))
		return false;
	const struct cdp_heap_extent *extent = &heap->extents[node->extent];
	uint64_t offset = (uint64_t)node->start << heap->granule_log2;
	if (__builtin_expect(block.address != extent->address + offset ||
				     block.iova != extent->iova + offset,
			     0))
		return false;

	uint32_t size = node->size & ~CDP_HEAP_LIVE;
	heap->live_blocks--;
	heap->waste -= node->waste;
	heap->free_granules += size;
	uint32_t after = node->after;
	uint32_t before = node->before;
	if (after != CDP_HEAP_NONE && !(heap->nodes[after].size & CDP_HEAP_LIVE)) {
		uint32_t joined = after;
		cdp_heap_unlink(heap, joined, heap->nodes[joined].size);
		size += heap->nodes[joined].size;
		after = heap->nodes[joined].after;
		node->after = after;
		if (after != CDP_HEAP_NONE)
			heap->nodes[after].before = at;
		cdp_heap_drop_node(heap, joined);
	}
	/* The node in front stays: an extent's first node is the same for ever. */
	if (before != CDP_HEAP_NONE && !(heap->nodes[before].size & CDP_HEAP_LIVE)) {
		cdp_heap_unlink(heap, before, heap->nodes[before].size);
		size += heap->nodes[before].size;
		heap->nodes[before].after = after;
		if (after != CDP_HEAP_NONE)
			heap->nodes[after].before = before;
		cdp_heap_drop_node(heap, at);
		at = before;
	}
	heap->nodes[at].size = size;
	cdp_heap_link(heap, at, size);
	return true;
}

/* The bytes that a block has: what was asked for, rounded up to a granule. */
static inline uint64_t cdp_block_byte_count(struct cdp_block block)
{
	uint64_t granules =
		((block.token >> CDP_BLOCK_SIZE_SHIFT) & (CDP_HEAP_GRANULE_LIMIT - 1)) + 1;
	return granules << (6 + ((block.token >> CDP_BLOCK_GRANULE_SHIFT) & 7));
}

/* ---- several threads ---- */

/* A heap that threads share is used with its lock held. It spins, and yields the processor where
 * the holder seems to have lost his. */
static inline void cdp_heap_lock(struct cdp_heap *heap)
{
	if (__builtin_expect(!cdp_gate_try(&heap->gate), 0))
		cdp_gate_wait(&heap->gate);
}

static inline void cdp_heap_unlock(struct cdp_heap *heap)
{
	cdp_gate_leave(&heap->gate);
}

/* Whether something was refused, or fewer bytes were free than the mark, since the flag was last
 * lowered. Needs no lock. */
static inline bool cdp_heap_is_low(const struct cdp_heap *heap)
{
	return __atomic_load_n(&heap->is_low, __ATOMIC_RELAXED) != 0;
}

static inline void cdp_heap_lower_low(struct cdp_heap *heap)
{
	__atomic_store_n(&heap->is_low, 0, __ATOMIC_RELAXED);
}

#ifdef __cplusplus
}
#endif

#endif
