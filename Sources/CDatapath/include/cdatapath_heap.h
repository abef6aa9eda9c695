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
	heap->tags[at].u.link.next = next;
	if (next != CDP_HEAP_NONE)
		heap->tags[next].u.link.prev = at;
	cdp_heap_first(heap)[bin] = at;
	heap->words[bin / 64] |= (uint64_t)1 << (bin % 64);
	heap->summary |= (uint64_t)1 << (bin / 64);
	if (bin >= CDP_HEAP_EXACT_BINS && cdp_heap_bound(heap)[bin] < size)
		cdp_heap_bound(heap)[bin] = size;
}

static inline void cdp_heap_unlink(struct cdp_heap *heap, uint32_t at, uint32_t size)
{
	uint32_t bin = cdp_heap_bin(size);
	uint32_t next = heap->tags[at].u.link.next;
	if (cdp_heap_first(heap)[bin] == at) {
		cdp_heap_set_first(heap, bin, next);
		return;
	}
	uint32_t prev = heap->tags[at].u.link.prev;
	heap->tags[prev].u.link.next = next;
	if (next != CDP_HEAP_NONE)
		heap->tags[next].u.link.prev = prev;
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

/* Hands out the first `granules` of a free block that is in no bin any more. */
CDP_HEAP_INLINE struct cdp_block cdp_heap_cut(struct cdp_heap *heap, uint32_t at, uint32_t granules,
					    uint64_t byte_count)
{
	struct cdp_heap_tag *tag = &heap->tags[at];
	uint32_t number = at >> heap->stride_log2;
	uint32_t offset = at - (number << heap->stride_log2);
	const struct cdp_heap_extent *extent = &heap->extents[number];
	uint32_t size = tag->size;
	if (size != granules) {
		tag[granules].size = size - granules;
		tag[granules].before = granules;
		if (offset + size != extent->granules)
			tag[size].before = size - granules;
		cdp_heap_link(heap, at + granules, size - granules);
	}
	uint32_t log2 = heap->granule_log2;
	uint64_t waste = (((uint64_t)granules << log2) - byte_count) >> (log2 - 6);
	struct cdp_block block;
	block.address = extent->address + ((uint64_t)offset << log2);
	block.iova = extent->iova + ((uint64_t)offset << log2);
	heap->serial += CDP_BLOCK_SERIAL;
	block.token = heap->serial | waste << CDP_BLOCK_WASTE_SHIFT |
		      (uint64_t)(granules - 1) << CDP_BLOCK_SIZE_SHIFT | number;
	tag->size = granules | CDP_HEAP_LIVE;
	tag->u.token = block.token;
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
	uint32_t next = heap->tags[at].u.link.next;
	/* The next block of the size will be this one: fetched while nothing waits for it. */
	if (next != CDP_HEAP_NONE)
		__builtin_prefetch(&heap->tags[next], 1);
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
	uint32_t number = (uint32_t)block.token & (CDP_HEAP_EXTENT_LIMIT - 1);
	uint32_t granules =
		((uint32_t)(block.token >> CDP_BLOCK_SIZE_SHIFT) & (CDP_HEAP_GRANULE_LIMIT - 1)) + 1;
	if (__builtin_expect(number >= heap->extent_capacity, 0))
		return false;
	const struct cdp_heap_extent *extent = &heap->extents[number];
	uint64_t bytes = block.address - extent->address;
	uint64_t offset = bytes >> heap->granule_log2;
	if (__builtin_expect(offset >= extent->granules, 0))
		return false;
	uint32_t at = (number << heap->stride_log2) + (uint32_t)offset;
	struct cdp_heap_tag *tag = &heap->tags[at];
	if (__builtin_expect(tag->size != (granules | CDP_HEAP_LIVE) ||
				     tag->u.token != block.token ||
				     bytes != offset << heap->granule_log2 ||
				     block.iova - extent->iova != bytes,
			     0))
		return false;

	heap->live_blocks--;
	heap->waste -= (block.token >> CDP_BLOCK_WASTE_SHIFT) & 63;
	heap->free_granules += granules;
	uint32_t size = granules;
	uint32_t end = (uint32_t)offset + granules;
	if (end != extent->granules && !(tag[granules].size & CDP_HEAP_LIVE)) {
		uint32_t after = tag[granules].size;
		cdp_heap_unlink(heap, at + granules, after);
		tag[granules].size = 0;
		size += after;
		end += after;
	}
	uint32_t before = tag->before;
	if (before && !((tag - before)->size & CDP_HEAP_LIVE)) {
		cdp_heap_unlink(heap, at - before, before);
		tag->size = 0;
		size += before;
		at -= before;
		tag -= before;
	}
	tag->size = size;
	if (end != extent->granules)
		tag[size].before = size;
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
