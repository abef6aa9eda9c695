#define _GNU_SOURCE /* for MAP_ANONYMOUS */
#include "cdatapath_heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Blocks that an aligned take looks at before it takes one that certainly fits: tighter, and
 * still bounded. */
#define ALIGNED_LOOKS 16u

/* ---- taking with a search ---- */

/* Granules between the start of a free block and the first place that is aligned in it;
 * CDP_HEAP_NONE where the block does not fit. */
static uint32_t lead_in(const struct cdp_heap *heap, uint32_t at, uint32_t granules,
			uint64_t alignment)
{
	uint32_t size = heap->nodes[at].size;
	if (size < granules)
		return CDP_HEAP_NONE;
	if (alignment >> heap->granule_log2 <= 1)
		return 0;
	const struct cdp_heap_extent *extent = &heap->extents[heap->nodes[at].extent];
	if (extent->alignment_log2 < (uint32_t)__builtin_ctzll(alignment))
		return CDP_HEAP_NONE;
	uint64_t offset = heap->nodes[at].start;
	uint64_t address = extent->address + (offset << heap->granule_log2);
	uint64_t lead = ((~address + 1) & (alignment - 1)) >> heap->granule_log2;
	return lead <= size - granules ? (uint32_t)lead : CDP_HEAP_NONE;
}

/* The first block that fits, among at most `limit` from the bin of the size on; smaller bins
 * first. */
static uint32_t search(struct cdp_heap *heap, uint32_t granules, uint64_t alignment,
		       uint64_t limit)
{
	bool is_aligned = alignment >> heap->granule_log2 > 1;
	/* Without an alignment, one bin alone has blocks that may or may not fit. */
	uint32_t end = is_aligned ? CDP_HEAP_BINS : cdp_heap_bin(granules) + 1;
	uint32_t bin = cdp_heap_bin(granules);
	while (bin < end && (bin = cdp_heap_find(heap, bin)) < end) {
		uint32_t largest = 0;
		bool may_fit = bin < CDP_HEAP_EXACT_BINS || cdp_heap_bound(heap)[bin] >= granules;
		uint32_t at = may_fit ? cdp_heap_first(heap)[bin] : CDP_HEAP_NONE;
		for (; at != CDP_HEAP_NONE; at = heap->nodes[at].u.link.next) {
			if (limit-- == 0)
				return CDP_HEAP_NONE;
			if (lead_in(heap, at, granules, alignment) != CDP_HEAP_NONE)
				return at;
			if (heap->nodes[at].size > largest)
				largest = heap->nodes[at].size;
		}
		/* The same search again is over at once. */
		if (may_fit && bin >= CDP_HEAP_EXACT_BINS)
			cdp_heap_bound(heap)[bin] = largest;
		bin++;
	}
	return CDP_HEAP_NONE;
}

/* A block of any alignment that is large enough to hold an aligned one, wherever it begins. */
static uint32_t certain(const struct cdp_heap *heap, uint32_t granules, uint64_t alignment)
{
	uint64_t wanted = granules + (alignment >> heap->granule_log2) - 1;
	if (wanted > CDP_HEAP_GRANULE_LIMIT)
		return CDP_HEAP_NONE;
	uint32_t bin = cdp_heap_find(heap, cdp_heap_fitting_bin((uint32_t)wanted));
	if (bin == CDP_HEAP_NONE)
		return CDP_HEAP_NONE;
	uint32_t at = cdp_heap_first(heap)[bin];
	/* Not where the extent's address and IOVA are not aligned alike. */
	return lead_in(heap, at, granules, alignment) != CDP_HEAP_NONE ? at : CDP_HEAP_NONE;
}

struct cdp_block cdp_heap_take_searching(struct cdp_heap *heap, uint32_t granules,
					 uint64_t byte_count, uint64_t alignment)
{
	bool is_aligned = alignment >> heap->granule_log2 > 1;
	uint32_t at = CDP_HEAP_NONE;
	if (is_aligned) {
		at = search(heap, granules, alignment, ALIGNED_LOOKS);
		if (at == CDP_HEAP_NONE)
			at = certain(heap, granules, alignment);
	}
	if (at == CDP_HEAP_NONE)
		at = search(heap, granules, alignment, heap->search_limit);
	if (at == CDP_HEAP_NONE) {
		cdp_heap_raise_low(heap);
		return cdp_heap_no_block();
	}

	uint32_t lead = lead_in(heap, at, granules, alignment);
	cdp_heap_unlink(heap, at, heap->nodes[at].size);
	if (lead) {
		uint32_t behind = cdp_heap_split(heap, at, lead);
		cdp_heap_link(heap, at, lead);
		at = behind;
	}
	return cdp_heap_cut(heap, at, granules, byte_count);
}

/* ---- the heap ---- */

static bool is_power(uint64_t value)
{
	return value && !(value & (value - 1));
}

struct cdp_heap *cdp_heap_create(struct cdp_heap_options options)
{
	uint64_t granule = options.granule_byte_count;
	if (!is_power(granule) || granule < 64 || granule > 4096 ||
	    options.extent_byte_count < granule ||
	    options.extent_byte_count / granule > CDP_HEAP_GRANULE_LIMIT ||
	    options.extent_capacity == 0 || options.extent_capacity > CDP_HEAP_EXTENT_LIMIT) {
		errno = EINVAL;
		return NULL;
	}
	uint64_t granules = options.extent_byte_count / granule;
	/* Each granule may be a block, and nodes are numbered with 26 bits. */
	if (options.extent_capacity * granules > CDP_HEAP_NODE_LIMIT) {
		errno = EINVAL;
		return NULL;
	}
	size_t bins = 2 * CDP_HEAP_BINS * sizeof(uint32_t);
	struct cdp_heap *heap = aligned_alloc(64, (sizeof(*heap) + bins + 63) / 64 * 64);
	struct cdp_heap_extent *extents = calloc(options.extent_capacity, sizeof(*extents));
	size_t nodes = (size_t)(options.extent_capacity * granules) * sizeof(struct cdp_heap_node);
	/* Address space alone: pages come at first touch. */
	void *table = mmap(NULL, nodes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!heap || !extents || table == MAP_FAILED) {
		if (table != MAP_FAILED)
			munmap(table, nodes);
		free(extents);
		free(heap);
		errno = ENOMEM;
		return NULL;
	}
	memset(heap, 0, sizeof(*heap));
	memset(cdp_heap_first(heap), 0xff, bins / 2);
	memset(cdp_heap_bound(heap), 0, bins / 2);
	heap->nodes = table;
	heap->nodes_byte_count = nodes;
	heap->spare = CDP_HEAP_NONE;
	heap->extent_granules = granules;
	heap->extents = extents;
	heap->granule_log2 = (uint32_t)__builtin_ctzll(granule);
	heap->serial = (uint64_t)(heap->granule_log2 - 6) << CDP_BLOCK_GRANULE_SHIFT;
	heap->largest_ask = granules * granule;
	heap->extent_capacity = options.extent_capacity;
	heap->low_granules = (options.low_byte_count + granule - 1) / granule;
	heap->search_limit = options.search_limit;
	return heap;
}

void cdp_heap_destroy(struct cdp_heap *heap)
{
	if (!heap)
		return;
	munmap(heap->nodes, heap->nodes_byte_count);
	free(heap->extents);
	free(heap);
}

/* ---- extents ---- */

void cdp_heap_add_extent(struct cdp_heap *heap, uint32_t number, uint64_t address, uint64_t iova,
			 uint64_t byte_count)
{
	struct cdp_heap_extent *extent = &heap->extents[number];
	uint32_t granules = (uint32_t)(byte_count >> heap->granule_log2);
	uint32_t first = cdp_heap_new_node(heap);
	extent->address = address;
	extent->iova = iova;
	extent->alignment_log2 = address == iova ? 63 : (uint32_t)__builtin_ctzll(address ^ iova);
	extent->granules = granules;
	extent->first = first;
	struct cdp_heap_node *node = &heap->nodes[first];
	node->start = 0;
	node->size = granules;
	node->before = CDP_HEAP_NONE;
	node->after = CDP_HEAP_NONE;
	node->extent = number;
	cdp_heap_link(heap, first, granules);
	heap->extent_count++;
	heap->granules += granules;
	heap->free_granules += granules;
}

bool cdp_heap_extent_is_free(const struct cdp_heap *heap, uint32_t number)
{
	if (number >= heap->extent_capacity)
		return false;
	const struct cdp_heap_extent *extent = &heap->extents[number];
	return extent->granules && heap->nodes[extent->first].size == extent->granules;
}

bool cdp_heap_remove_extent(struct cdp_heap *heap, uint32_t number)
{
	if (!cdp_heap_extent_is_free(heap, number))
		return false;
	struct cdp_heap_extent *extent = &heap->extents[number];
	cdp_heap_unlink(heap, (uint32_t)extent->first, extent->granules);
	cdp_heap_drop_node(heap, (uint32_t)extent->first);
	heap->extent_count--;
	heap->granules -= extent->granules;
	heap->free_granules -= extent->granules;
	extent->granules = 0;
	if (heap->free_granules < heap->low_granules)
		cdp_heap_raise_low(heap);
	return true;
}
