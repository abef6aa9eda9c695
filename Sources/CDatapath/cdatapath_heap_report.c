#include "cdatapath_heap.h"

/* What a heap holds, and whether its bookkeeping is sound. */

struct cdp_heap_statistics cdp_heap_statistics(const struct cdp_heap *heap)
{
	uint32_t largest = 0;
	if (heap->summary) {
		uint32_t word = 63u - (uint32_t)__builtin_clzll(heap->summary);
		uint32_t bin = word * 64 + 63u - (uint32_t)__builtin_clzll(heap->words[word]);
		uint32_t at = cdp_heap_first(heap)[bin];
		for (; at != CDP_HEAP_NONE; at = heap->nodes[at].u.link.next) {
			if (heap->nodes[at].size > largest)
				largest = heap->nodes[at].size;
			if (bin < CDP_HEAP_EXACT_BINS)
				break; /* they are alike */
		}
	}
	struct cdp_heap_statistics result;
	result.byte_count = heap->granules << heap->granule_log2;
	result.free_byte_count = heap->free_granules << heap->granule_log2;
	result.largest_free_byte_count = (uint64_t)largest << heap->granule_log2;
	result.wasted_byte_count = heap->waste;
	result.live_blocks = heap->live_blocks;
	result.extents = heap->extent_count;
	return result;
}

const char *cdp_heap_refusal(const struct cdp_heap *heap, struct cdp_block block)
{
	for (uint32_t number = 0; number < heap->extent_capacity; number++) {
		const struct cdp_heap_extent *extent = &heap->extents[number];
		uint64_t offset = (block.address - extent->address) >> heap->granule_log2;
		if (offset >= extent->granules)
			continue;
		uint32_t at = (uint32_t)extent->first;
		while (offset >= heap->nodes[at].start + (heap->nodes[at].size & ~CDP_HEAP_LIVE))
			at = heap->nodes[at].after;
		return heap->nodes[at].size & CDP_HEAP_LIVE
			       ? "the block was given back already, and its place is another block's now"
			       : "the block was given back already";
	}
	return "the block is of another heap, or of an extent that was trimmed";
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

static const char *fault_of_node(const struct cdp_heap *heap, uint32_t at, struct totals *totals)
{
	const struct cdp_heap_node *node = &heap->nodes[at];
	uint32_t size = node->size & ~CDP_HEAP_LIVE;
	if (!(node->size & CDP_HEAP_LIVE)) {
		totals->free_granules += size;
		totals->free_blocks++;
		return NULL;
	}
	totals->live_blocks++;
	totals->waste += node->waste;
	if ((node->u.token & (CDP_HEAP_NODE_LIMIT - 1)) != at)
		return "a token names another node";
	if (((node->u.token >> CDP_BLOCK_SIZE_SHIFT) & (CDP_HEAP_GRANULE_LIMIT - 1)) + 1 != size)
		return "a token names another size";
	return NULL;
}

static const char *fault_of_extent(const struct cdp_heap *heap, uint32_t number,
				   struct totals *totals)
{
	uint32_t granules = heap->extents[number].granules;
	if (!granules)
		return NULL;
	uint32_t at = (uint32_t)heap->extents[number].first;
	uint32_t before = CDP_HEAP_NONE, start = 0;
	bool was_free = false;
	for (; start < granules; at = heap->nodes[at].after) {
		if (at >= heap->untouched)
			return "a block has no neighbour and the extent goes on";
		const struct cdp_heap_node *node = &heap->nodes[at];
		bool is_free = !(node->size & CDP_HEAP_LIVE);
		uint32_t size = node->size & ~CDP_HEAP_LIVE;
		if (!size || size > granules - start)
			return "a block does not end in its extent";
		if (node->start != start || node->extent != number || node->before != before)
			return "a node does not follow the one before";
		if (was_free && is_free)
			return "two free neighbours are not one";
		const char *fault = fault_of_node(heap, at, totals);
		if (fault)
			return fault;
		was_free = is_free;
		before = at;
		start += size;
	}
	totals->granules += granules;
	totals->extents++;
	return at == CDP_HEAP_NONE ? NULL : "the last block has a neighbour";
}

/* Every node is a block's or spare: none is lost. */
static const char *fault_of_spares(const struct cdp_heap *heap, const struct totals *totals)
{
	uint64_t spares = 0;
	for (uint32_t at = heap->spare; at != CDP_HEAP_NONE; at = heap->nodes[at].u.link.next) {
		if (heap->nodes[at].size || ++spares > heap->untouched)
			return "a spare node is in use";
	}
	return spares + totals->live_blocks + totals->free_blocks == heap->untouched ?
		       NULL : "a node is lost";
}

static const char *fault_of_bin(const struct cdp_heap *heap, uint32_t bin, uint64_t *linked)
{
	uint32_t first = cdp_heap_first(heap)[bin];
	bool has_bit = heap->words[bin / 64] >> (bin % 64) & 1;
	if (has_bit != (first != CDP_HEAP_NONE))
		return "a bin's bit is wrong";
	uint32_t prev = CDP_HEAP_NONE;
	for (uint32_t at = first; at != CDP_HEAP_NONE; at = heap->nodes[at].u.link.next) {
		const struct cdp_heap_node *node = &heap->nodes[at];
		if (node->size & CDP_HEAP_LIVE || !node->size)
			return "a bin holds what is not free";
		if (cdp_heap_bin(node->size) != bin)
			return "a block is in a wrong bin";
		if (at != first && node->u.link.prev != prev)
			return "a bin's links differ";
		if (bin >= CDP_HEAP_EXACT_BINS && node->size > cdp_heap_bound(heap)[bin])
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
	if (totals.extents != heap->extent_count)
		return "the extents are counted wrong";
	return fault_of_spares(heap, &totals);
}
