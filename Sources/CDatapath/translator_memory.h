#ifndef TRANSLATOR_MEMORY_H
#define TRANSLATOR_MEMORY_H

#include "cdatapath_translator.h"

#include <stddef.h>

/* The address space of a translator: reserved in steps, given back as a whole. */

#define GRANULE_MASK (CDP_GRANULE_BYTES - 1)
#define GIB_MASK (CDP_GIB_BYTES - 1)
#define SECTOR_MASK (CDP_SECTOR_BYTES - 1)
#define PAGE_BYTES ((uint64_t)1 << CDP_PAGE_BITS)
#define GIB_GRANULES ((uint64_t)512)
#define TABLE_ENTRIES ((uint64_t)512)

struct mapping {
	void *start;
	size_t byte_count;
};

/* One direction. */
struct direction {
	uint64_t **sectors;
	uint64_t *home;
	uint64_t home_first;
};

struct cdp_translator {
	struct direction to_iova; /* by address */
	struct direction to_address; /* by IOVA */
	/* Where the next sub-tables come from. */
	char *block;
	char *blocks_end;
	uint64_t mappings_left;
	/* Everything but this structure's own mapping, which ends with this list. */
	uint64_t mapping_count;
	struct mapping *mappings;
};

/* A sector in memory: entries, summaries (both of which readers see), and for each GiB one record:
 * the block with its sub-tables, if it has any, and how many of its granules are not empty. */
static inline uint64_t *summary_of(uint64_t *sector, uint64_t granule)
{
	return &sector[CDP_SECTOR_GRANULES + granule / GIB_GRANULES];
}

static inline uint64_t *record_of(uint64_t *sector, uint64_t granule)
{
	return &sector[CDP_SECTOR_GRANULES + CDP_SECTOR_GIBS + granule / GIB_GRANULES];
}

/* The granule's own sub-table, for ever; NULL where its GiB has no block. */
static inline uint64_t *sub_table_of(uint64_t record, uint64_t granule)
{
	uint64_t block = record & ~CDP_ENTRY_FLAGS;
	if (!block)
		return NULL;
	return (uint64_t *)(uintptr_t)block + granule % GIB_GRANULES * TABLE_ENTRIES;
}

/* NULL where nothing in the sector was ever prepared. */
static inline uint64_t *sector_of(const struct direction *direction, uint64_t source)
{
	return direction->sectors[source >> CDP_SECTOR_BITS];
}

/* 0, or an errno. */
int reserve_sector(cdp_translator *translator, struct direction *direction, uint64_t sector);
int reserve_block(cdp_translator *translator, uint64_t *record);

/* Lets the kernel have pages that hold nothing but zeros. */
void give_back(void *start, size_t byte_count);

#endif
