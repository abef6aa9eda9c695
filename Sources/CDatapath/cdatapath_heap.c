#define _GNU_SOURCE /* for MAP_ANONYMOUS, MADV_POPULATE_WRITE */
#include "cdatapath_heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Blocks that an aligned take looks at before it takes one that certainly fits: tighter, and
 * still bounded. */
#define ALIGNED_LOOKS 16u

/* ---- taking with a search ---- */

/* Granules between the start of a free block and the first place that is aligned in it;
 * CDP_HEAP_NONE where the block does not fit. */
static uint32_t lead_in(const struct cdp_heap *heap, uint32_t at, uint32_t granules,
			uint64_t alignment)
{
	uint32_t size = heap->tags[at].size;
	if (size < granules)
		return CDP_HEAP_NONE;
	if (alignment >> heap->granule_log2 <= 1)
		return 0;
	uint32_t number = at >> heap->stride_log2;
	const struct cdp_heap_extent *extent = &heap->extents[number];
	if (extent->alignment_log2 < (uint32_t)__builtin_ctzll(alignment))
		return CDP_HEAP_NONE;
	uint64_t offset = at - (number << heap->stride_log2);
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
		for (; at != CDP_HEAP_NONE; at = heap->tags[at].u.link.next) {
			if (limit-- == 0)
				return CDP_HEAP_NONE;
			if (lead_in(heap, at, granules, alignment) != CDP_HEAP_NONE)
				return at;
			if (heap->tags[at].size > largest)
				largest = heap->tags[at].size;
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

	struct cdp_heap_tag *tag = &heap->tags[at];
	uint32_t size = tag->size;
	uint32_t lead = lead_in(heap, at, granules, alignment);
	cdp_heap_unlink(heap, at, size);
	if (lead) {
		uint32_t number = at >> heap->stride_log2;
		uint32_t offset = at - (number << heap->stride_log2);
		tag->size = lead;
		cdp_heap_link(heap, at, lead);
		tag[lead].before = lead;
		tag[lead].size = size - lead;
		if (offset + size != heap->extents[number].granules)
			tag[size].before = size - lead;
	}
	return cdp_heap_cut(heap, at + lead, granules, byte_count);
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
	uint32_t stride_log2 = 0;
	while (((uint64_t)1 << stride_log2) < granules)
		stride_log2++;
	/* Tags are numbered with 32 bits, and the last number stands for none. */
	if ((uint64_t)options.extent_capacity << stride_log2 >= CDP_HEAP_NONE) {
		errno = EINVAL;
		return NULL;
	}
	size_t bins = 2 * CDP_HEAP_BINS * sizeof(uint32_t);
	struct cdp_heap *heap = aligned_alloc(64, (sizeof(*heap) + bins + 63) / 64 * 64);
	struct cdp_heap_extent *extents = calloc(options.extent_capacity, sizeof(*extents));
	size_t tags = ((size_t)options.extent_capacity << stride_log2) * sizeof(struct cdp_heap_tag);
	/* Address space alone; add_extent populates what it needs. */
	void *table = mmap(NULL, tags, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!heap || !extents || table == MAP_FAILED) {
		if (table != MAP_FAILED)
			munmap(table, tags);
		free(extents);
		free(heap);
		errno = ENOMEM;
		return NULL;
	}
	memset(heap, 0, sizeof(*heap));
	memset(cdp_heap_first(heap), 0xff, bins / 2);
	memset(cdp_heap_bound(heap), 0, bins / 2);
	heap->tags = table;
	heap->tags_byte_count = tags;
	heap->extents = extents;
	heap->stride_log2 = stride_log2;
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
	munmap(heap->tags, heap->tags_byte_count);
	free(heap->extents);
	free(heap);
}

/* ---- extents ---- */

static struct cdp_heap_tag *tags_of(const struct cdp_heap *heap, uint32_t number)
{
	return &heap->tags[(size_t)number << heap->stride_log2];
}

void cdp_heap_prepare_extent(struct cdp_heap *heap, uint32_t number, uint64_t byte_count)
{
	uintptr_t start = (uintptr_t)tags_of(heap, number);
	uint64_t granules = byte_count >> heap->granule_log2;
	uintptr_t end = start + granules * sizeof(struct cdp_heap_tag);
	/* Whole pages around them. Where the kernel cannot (before 5.14, or short of memory), they
	 * come at first touch. */
	start &= ~(uintptr_t)4095;
	(void)madvise((void *)start, end - start, MADV_POPULATE_WRITE);
}

void cdp_heap_add_extent(struct cdp_heap *heap, uint32_t number, uint64_t address, uint64_t iova,
			 uint64_t byte_count)
{
	struct cdp_heap_extent *extent = &heap->extents[number];
	uint32_t granules = (uint32_t)(byte_count >> heap->granule_log2);
	extent->address = address;
	extent->iova = iova;
	extent->alignment_log2 = address == iova ? 63 : (uint32_t)__builtin_ctzll(address ^ iova);
	extent->granules = granules;
	struct cdp_heap_tag *tag = tags_of(heap, number);
	tag->size = granules;
	tag->before = 0;
	cdp_heap_link(heap, number << heap->stride_log2, granules);
	heap->extent_count++;
	heap->granules += granules;
	heap->free_granules += granules;
}

bool cdp_heap_extent_is_free(const struct cdp_heap *heap, uint32_t number)
{
	if (number >= heap->extent_capacity)
		return false;
	uint32_t granules = heap->extents[number].granules;
	return granules && tags_of(heap, number)->size == granules;
}

bool cdp_heap_remove_extent(struct cdp_heap *heap, uint32_t number)
{
	if (!cdp_heap_extent_is_free(heap, number))
		return false;
	uint32_t granules = heap->extents[number].granules;
	cdp_heap_unlink(heap, number << heap->stride_log2, granules);
	tags_of(heap, number)->size = 0;
	heap->extents[number].granules = 0;
	heap->extent_count--;
	heap->granules -= granules;
	heap->free_granules -= granules;
	if (heap->free_granules < heap->low_granules)
		cdp_heap_raise_low(heap);
	return true;
}

void cdp_heap_release_tags(struct cdp_heap *heap, uint32_t number)
{
	size_t byte_count = sizeof(struct cdp_heap_tag) << heap->stride_log2;
	/* Neighbours share the page otherwise. */
	if (byte_count % 4096 == 0)
		(void)madvise(tags_of(heap, number), byte_count, MADV_DONTNEED);
}
