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
 * Sizes are counted in granules of 64 bytes or more. Every block, free or out, has a node of 32
 * bytes in a pool out of the device's reach: what a device writes past its block harms no
 * bookkeeping. A node names its neighbours' nodes, so that free neighbours are joined at once.
 * (Boundary tags in a table with a place for each granule were slower from 30000 blocks on: they
 * fill more cache.) Nodes are reserved for as many blocks as there can be granules, touched as they
 * are first needed, and live as long as the heap.
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
	/* From the low end: 26 bits node, 24 granules less one, 3 the granule (64 << it), 11 serial
	 * number. */
	uint64_t token;
};

#define CDP_HEAP_NODE_LIMIT (1u << 26)
#define CDP_BLOCK_SIZE_SHIFT 26u
#define CDP_BLOCK_GRANULE_SHIFT 50u
#define CDP_BLOCK_SERIAL ((uint64_t)1 << 53)

struct cdp_heap_node {
	uint32_t start; /* granules from the extent's first */
	uint32_t size; /* granules, with CDP_HEAP_LIVE while out; 0 for a spare node */
	uint32_t before; /* the neighbours' nodes, or CDP_HEAP_NONE at an end of the extent */
	uint32_t after;
	union {
		struct {
			uint32_t next; /* of the bin or of the spare nodes, or CDP_HEAP_NONE */
			uint32_t prev; /* means nothing for the first of the bin */
		} link;		       /* while free */
		uint64_t token;	       /* while out */
	} u;
	uint32_t extent;
	uint32_t waste; /* bytes that nobody asked for, while out */
};

struct cdp_heap_extent {
	uint64_t address;
	uint64_t iova;
	uint32_t granules; /* 0: the number is not in use */
	uint32_t alignment_log2; /* address and IOVA are equal modulo this power of two */
	uint64_t first;		 /* its first node, the same while the extent is here */
};

/* Followed by the bins: for each its first node, then a bound of its sizes. */
struct cdp_heap {
	struct cdp_heap_node *nodes;
	struct cdp_heap_extent *extents;
	uint32_t spare; /* nodes given back, last one first */
	uint32_t untouched; /* the first node that was never used */
	uint32_t granule_log2;
	uint32_t extent_capacity;
	uint64_t largest_ask; /* bytes; larger ones can never be had */
	uint64_t serial; /* as in a token, with the granule below it */
	uint64_t free_granules;
	uint64_t low_granules; /* fewer free ones raise the flag */
	uint64_t live_blocks;
	uint64_t waste; /* bytes that nobody asked for in live blocks */
	uint64_t summary;
	uint64_t words[CDP_HEAP_WORDS];
	uint32_t is_low; /* atomic: read without the lock */
	uint32_t gate;
	uint32_t extent_count;
	uint64_t granules;
	uint64_t search_limit; /* blocks that are looked at before a refusal */
	uint64_t extent_granules; /* the most of one */
	uint64_t nodes_byte_count;
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
 * space for the nodes of all granules, at most CDP_HEAP_NODE_LIMIT. */
struct cdp_heap *cdp_heap_create(struct cdp_heap_options options);
void cdp_heap_destroy(struct cdp_heap *heap);

/* Adds memory as one free block, under a number below the capacity that no extent has. Of a granule
 * at least and no more bytes than an extent may have; an odd rest is left out. */
void cdp_heap_add_extent(struct cdp_heap *heap, uint32_t number, uint64_t address, uint64_t iova,
			 uint64_t byte_count);
bool cdp_heap_extent_is_free(const struct cdp_heap *heap, uint32_t number);
/* Removes an extent that is free. Returns whether it was. */
bool cdp_heap_remove_extent(struct cdp_heap *heap, uint32_t number);
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
