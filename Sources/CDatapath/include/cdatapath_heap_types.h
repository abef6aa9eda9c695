#ifndef CDATAPATH_HEAP_TYPES_H
#define CDATAPATH_HEAP_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Blocks of variable size inside extents of memory that a device can reach.
 *
 * Sizes are counted in granules of 64 bytes or more. Every granule has a boundary tag of 16 bytes
 * in a table of its own, out of the device's reach: what a device writes past its block harms no
 * bookkeeping. A block's tag is that of its first granule, and holds its size and that of the block
 * before it. So both neighbours' tags are found without reading anything but the tag itself, and
 * small blocks' lie in its cache line or the next, where nodes in a pool lie anywhere. The price is
 * a table of 16 bytes per granule, whatever the blocks' sizes: choose larger granules for larger
 * blocks.
 *
 * Free blocks wait in bins: one for each size up to 64 granules, then 16 for each octave. A bitmap
 * of two levels finds the smallest bin that has a block which certainly fits.
 *
 * What runs per block is inline, in cdatapath_heap.h. One thread at a time: see cdp_heap_lock. */

#define CDP_HEAP_EXTENT_LIMIT 2048u
#define CDP_HEAP_GRANULE_LIMIT (1u << 24) /* granules of an extent */
#define CDP_HEAP_EXACT_BINS 64u
#define CDP_HEAP_WORDS 6u
#define CDP_HEAP_BINS (64u * CDP_HEAP_WORDS) /* 353 are used */
#define CDP_HEAP_NONE 0xffffffffu
#define CDP_HEAP_LIVE 0x80000000u

/* A block handed out: where the process and where the device finds it, and what proves it to be
 * of the heap and still out. An address of 0 stands for no block. */
struct cdp_block {
	uint64_t address;
	uint64_t iova;
	/* From the low end: 11 bits extent, 24 granules less one, 6 bytes that were not asked for (in
	 * 64ths of a granule), 3 the granule (64 << it), 20 serial number. */
	uint64_t token;
};

#define CDP_BLOCK_SIZE_SHIFT 11u
#define CDP_BLOCK_WASTE_SHIFT 35u
#define CDP_BLOCK_GRANULE_SHIFT 41u
#define CDP_BLOCK_SERIAL ((uint64_t)1 << 44)

struct cdp_heap_tag {
	uint32_t size; /* granules, with CDP_HEAP_LIVE while out; 0 where no block begins */
	uint32_t before; /* granules of the block before, 0 at the start of an extent */
	union {
		struct {
			uint32_t next; /* of the bin, or CDP_HEAP_NONE */
			uint32_t prev; /* means nothing for the first of the bin */
		} link;		       /* while free */
		uint64_t token;	       /* while out */
	} u;
};

struct cdp_heap_extent {
	uint64_t address;
	uint64_t iova;
	uint32_t granules; /* 0: the number is not in use */
	uint32_t alignment_log2; /* address and IOVA are equal modulo this power of two */
};

/* Followed by the bins: for each its first tag, then a bound of its sizes. */
struct cdp_heap {
	struct cdp_heap_tag *tags; /* an extent's begin at its number << stride_log2 */
	struct cdp_heap_extent *extents;
	uint32_t stride_log2;
	uint32_t granule_log2;
	uint64_t largest_ask; /* bytes; larger ones can never be had */
	uint64_t serial; /* as in a token, with the granule below it */
	uint64_t free_granules;
	uint64_t low_granules; /* fewer free ones raise the flag */
	uint64_t live_blocks;
	uint64_t waste; /* bytes that no one asked for in live blocks, in 64ths of a granule */
	uint64_t summary;
	uint64_t words[CDP_HEAP_WORDS];
	uint32_t is_low; /* atomic: read without the lock */
	uint32_t gate;
	uint32_t extent_capacity;
	uint32_t extent_count;
	uint64_t granules;
	uint64_t search_limit; /* blocks that are looked at before a refusal */
	uint64_t tags_byte_count;
};

/* ---- control plane ---- */

struct cdp_heap_options {
	uint64_t granule_byte_count; /* a power of two, 64 to 4096 */
	uint64_t extent_byte_count; /* the largest that an extent may be */
	uint32_t extent_capacity;
	uint64_t low_byte_count;
	uint64_t search_limit;
};

struct cdp_heap_statistics {
	uint64_t byte_count;
	uint64_t free_byte_count;
	uint64_t largest_free_byte_count;
	uint64_t wasted_byte_count;
	uint64_t live_blocks;
	uint32_t extents;
};

/* NULL where the options are out of bounds (errno EINVAL) or there is no memory. Reserves address
 * space for the tags of all extents; an extent's are populated when it is added. */
struct cdp_heap *cdp_heap_create(struct cdp_heap_options options);
void cdp_heap_destroy(struct cdp_heap *heap);

/* Populates the tags of an extent that is to come, so that no page fault waits in take. Other
 * threads may use the heap meanwhile. */
void cdp_heap_prepare_extent(struct cdp_heap *heap, uint32_t number, uint64_t byte_count);

/* Adds memory as one free block, under a number below the capacity that no extent has. Of a granule
 * at least and no more bytes than an extent may have; an odd rest is left out. */
void cdp_heap_add_extent(struct cdp_heap *heap, uint32_t number, uint64_t address, uint64_t iova,
			 uint64_t byte_count);
bool cdp_heap_extent_is_free(const struct cdp_heap *heap, uint32_t number);
/* Removes an extent that is free. Returns whether it was. */
bool cdp_heap_remove_extent(struct cdp_heap *heap, uint32_t number);
/* Gives the pages of a removed extent's tags back. Other threads may use the heap meanwhile. */
void cdp_heap_release_tags(struct cdp_heap *heap, uint32_t number);

/* O(blocks in the highest bin that has any). */
struct cdp_heap_statistics cdp_heap_statistics(const struct cdp_heap *heap);

/* What is wrong with the bookkeeping, or NULL: for tests. O(granules). */
const char *cdp_heap_fault(const struct cdp_heap *heap);

/* Why a block was not taken back: a sentence. */
const char *cdp_heap_refusal(const struct cdp_heap *heap, struct cdp_block block);

#ifdef __cplusplus
}
#endif

#endif
