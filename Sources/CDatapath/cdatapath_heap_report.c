#include "cdatapath_heap.h"

/* What a heap holds, and whether its bookkeeping is sound. */

struct cdp_heap_statistics cdp_heap_statistics(const struct cdp_heap *heap)
{
	uint32_t largest = 0;
	if (heap->summary) {
		uint32_t word = 63u - (uint32_t)__builtin_clzll(heap->summary);
		uint32_t bin = word * 64 + 63u - (uint32_t)__builtin_clzll(heap->words[word]);
		uint32_t at = cdp_heap_first(heap)[bin];
		for (; at != CDP_HEAP_NONE; at = heap->tags[at].u.link.next) {
			if (heap->tags[at].size > largest)
				largest = heap->tags[at].size;
			if (bin < CDP_HEAP_EXACT_BINS)
				break; /* they are alike */
		}
	}
	struct cdp_heap_statistics result;
	result.byte_count = heap->granules << heap->granule_log2;
	result.free_byte_count = heap->free_granules << heap->granule_log2;
	result.largest_free_byte_count = (uint64_t)largest << heap->granule_log2;
	result.wasted_byte_count = heap->waste << (heap->granule_log2 - 6);
	result.live_blocks = heap->live_blocks;
	result.extents = heap->extent_count;
	return result;
}

const char *cdp_heap_refusal(const struct cdp_heap *heap, struct cdp_block block)
{
	uint32_t number = (uint32_t)block.token & (CDP_HEAP_EXTENT_LIMIT - 1);
	if (number >= heap->extent_capacity)
		return "the block is of another heap";
	const struct cdp_heap_extent *extent = &heap->extents[number];
	uint64_t offset = (block.address - extent->address) >> heap->granule_log2;
	if (offset >= extent->granules)
		return "the block is of another heap, or of an extent that was trimmed";
	const struct cdp_heap_tag *tag =
		&heap->tags[((uint64_t)number << heap->stride_log2) + offset];
	if (!(tag->size & CDP_HEAP_LIVE))
		return "the block was given back already";
	return "the block was given back already, and its place is another block's now";
}

/* ---- invariants ---- */

struct totals {
	uint64_t granules;
	uint64_t free_granules;
	uint64_t free_blocks;
	uint64_t live_blocks;
	uint64_t waste;
	uint32_t extents;
};

static const char *fault_of_tag(const struct cdp_heap_tag *tag, uint32_t number,
				struct totals *totals)
{
	uint32_t size = tag->size & ~CDP_HEAP_LIVE;
	if (!(tag->size & CDP_HEAP_LIVE)) {
		totals->free_granules += size;
		totals->free_blocks++;
		return NULL;
	}
	uint64_t token = tag->u.token;
	totals->live_blocks++;
	totals->waste += (token >> CDP_BLOCK_WASTE_SHIFT) & 63;
	if ((token & (CDP_HEAP_EXTENT_LIMIT - 1)) != number)
		return "a token names another extent";
	if (((token >> CDP_BLOCK_SIZE_SHIFT) & (CDP_HEAP_GRANULE_LIMIT - 1)) + 1 != size)
		return "a token names another size";
	return NULL;
}

static const char *fault_of_extent(const struct cdp_heap *heap, uint32_t number,
				   struct totals *totals)
{
	const struct cdp_heap_tag *tags = &heap->tags[(size_t)number << heap->stride_log2];
	uint32_t granules = heap->extents[number].granules;
	uint32_t before = 0;
	bool was_free = false;
	for (uint32_t at = 0; at < granules; at += before) {
		bool is_free = !(tags[at].size & CDP_HEAP_LIVE);
		uint32_t size = tags[at].size & ~CDP_HEAP_LIVE;
		if (!size || size > granules - at)
			return "a block does not end in its extent";
		if (tags[at].before != before)
			return "a tag has a wrong size of the block before";
		if (was_free && is_free)
			return "two free neighbours are not one";
		for (uint32_t inner = 1; inner < size; inner++)
			if (tags[at + inner].size)
				return "a block begins inside another";
		const char *fault = fault_of_tag(&tags[at], number, totals);
		if (fault)
			return fault;
		was_free = is_free;
		before = size;
	}
	totals->granules += granules;
	totals->extents += granules != 0;
	return NULL;
}

static const char *fault_of_bin(const struct cdp_heap *heap, uint32_t bin, uint64_t *linked)
{
	uint32_t first = cdp_heap_first(heap)[bin];
	bool has_bit = heap->words[bin / 64] >> (bin % 64) & 1;
	if (has_bit != (first != CDP_HEAP_NONE))
		return "a bin's bit is wrong";
	uint32_t prev = CDP_HEAP_NONE;
	for (uint32_t at = first; at != CDP_HEAP_NONE; at = heap->tags[at].u.link.next) {
		const struct cdp_heap_tag *tag = &heap->tags[at];
		if (tag->size & CDP_HEAP_LIVE || !tag->size)
			return "a bin holds what is not free";
		if (cdp_heap_bin(tag->size) != bin)
			return "a block is in a wrong bin";
		if (at != first && tag->u.link.prev != prev)
			return "a bin's links differ";
		if (bin >= CDP_HEAP_EXACT_BINS && tag->size > cdp_heap_bound(heap)[bin])
			return "a block is larger than its bin's bound";
		if (++*linked > heap->granules)
			return "a bin goes round";
		prev = at;
	}
	return NULL;
}

const char *cdp_heap_fault(const struct cdp_heap *heap)
{
	struct totals totals = { 0, 0, 0, 0, 0, 0 };
	uint64_t linked = 0;
	const char *fault = NULL;
	for (uint32_t number = 0; number < heap->extent_capacity && !fault; number++)
		fault = fault_of_extent(heap, number, &totals);
	for (uint32_t bin = 0; bin < CDP_HEAP_BINS && !fault; bin++)
		fault = fault_of_bin(heap, bin, &linked);
	if (fault)
		return fault;
	for (uint32_t word = 0; word < CDP_HEAP_WORDS; word++)
		if ((heap->summary >> word & 1) != (heap->words[word] != 0))
			return "the summary's bit is wrong";
	if (linked != totals.free_blocks)
		return "a free block is in no bin";
	if (totals.free_granules != heap->free_granules || totals.granules != heap->granules)
		return "the granules are counted wrong";
	if (totals.live_blocks != heap->live_blocks || totals.waste != heap->waste)
		return "the live blocks are counted wrong";
	return totals.extents == heap->extent_count ? NULL : "the extents are counted wrong";
}
