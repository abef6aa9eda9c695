#include "translator_memory.h"

#include <stdlib.h>

/* Stores of the one writer. Its own loads need no order: nobody else stores. */
static void store(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static uint64_t load(const uint64_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

/* How many pages of a granule are in use. */
static uint64_t pages_used(uint64_t entry)
{
	if (entry & CDP_ENTRY_WHOLE)
		return TABLE_ENTRIES;
	return (entry & CDP_ENTRY_FLAGS) >> 2;
}

static uint64_t sub_entry(const uint64_t *table, uint64_t used)
{
	return (uint64_t)(uintptr_t)table | CDP_ENTRY_SUB | used << 2;
}

/* Before an entry of a GiB changes that may have a summary. */
static void drop_summary(uint64_t *sector, uint64_t granule)
{
	uint64_t *summary = summary_of(sector, granule);

	if (load(summary))
		store(summary, 0);
}

/* After the last granule of a GiB has come to be used. */
static void make_summary(uint64_t *sector, uint64_t granule)
{
	uint64_t *entries = &sector[granule & ~(GIB_GRANULES - 1)];
	uint64_t first = load(entries);

	for (uint64_t i = 1; i < GIB_GRANULES; i++)
		if (load(&entries[i]) != first)
			return;
	if (first & CDP_ENTRY_WHOLE)
		store(summary_of(sector, granule), first);
}

/* Keeps count of a GiB's granules that are not empty. */
static void count_granule(uint64_t *sector, uint64_t granule, uint64_t before, uint64_t after)
{
	uint64_t *record = record_of(sector, granule);

	if (!before && after)
		(*record)++;
	else if (before && !after)
		(*record)--;
}

/* A part of one granule: delta | WHOLE, or 0. Whether something else was there. */
static bool set_pages(uint64_t *sector, uint64_t granule, uint64_t first, uint64_t last,
		      uint64_t entry)
{
	uint64_t old = load(&sector[granule]);
	uint64_t before = pages_used(old), used = before;
	uint64_t *pages;
	bool met = false;

	if (old & CDP_ENTRY_SUB) {
		pages = (uint64_t *)(uintptr_t)(old & ~CDP_ENTRY_FLAGS);
	} else {
		pages = sub_table_of(*record_of(sector, granule), granule);
		if (!pages)
			abort(); /* not prepared: a bug of ours, and going on would lose it */
		if (old) {
			drop_summary(sector, granule);
			for (uint64_t i = 0; i < TABLE_ENTRIES; i++)
				store(&pages[i], old);
			store(&sector[granule], sub_entry(pages, used));
		}
	}
	for (uint64_t i = first; i <= last; i++) {
		uint64_t was = load(&pages[i]);

		met |= was != 0;
		used += (entry != 0) - (uint64_t)(was != 0);
		store(&pages[i], entry);
	}
	store(&sector[granule], sub_entry(pages, used));
	if (!before != !used)
		count_granule(sector, granule, before, used);
	return met;
}

static bool set_granule(uint64_t *sector, uint64_t granule, uint64_t entry)
{
	uint64_t old = load(&sector[granule]);
	uint64_t before = pages_used(old);

	/* Pages in use stay in their sub-table: a reader on its way there must find them. */
	if (old & CDP_ENTRY_SUB && before)
		return set_pages(sector, granule, 0, TABLE_ENTRIES - 1, entry);
	if (before)
		drop_summary(sector, granule);
	if (entry) {
		store(&sector[granule], entry);
	} else {
		/* A sub-table from an earlier time may be resident still: reclaim finds it. */
		uint64_t *pages = sub_table_of(*record_of(sector, granule), granule);

		store(&sector[granule], pages ? sub_entry(pages, 0) : 0);
	}
	count_granule(sector, granule, before, entry);
	if (entry && (*record_of(sector, granule) & CDP_ENTRY_FLAGS) == GIB_GRANULES)
		make_summary(sector, granule);
	return before != 0;
}

/* A prepared range: delta | WHOLE, or 0. Whether something was there. */
static bool set_range(const struct direction *direction, uint64_t source, uint64_t byte_count,
		      uint64_t entry)
{
	uint64_t last = source + (byte_count - 1);
	bool met = false;

	for (;;) {
		uint64_t end = source | GRANULE_MASK;
		uint64_t granule = (source & SECTOR_MASK) >> CDP_GRANULE_BITS;
		uint64_t *sector = sector_of(direction, source);

		if (!sector)
			abort(); /* as above */
		if (!(source & GRANULE_MASK) && end <= last)
			met |= set_granule(sector, granule, entry);
		else
			met |= set_pages(sector, granule, (source & GRANULE_MASK) >> CDP_PAGE_BITS,
					 ((end < last ? end : last) & GRANULE_MASK) >> CDP_PAGE_BITS,
					 entry);
		if (end >= last)
			return met;
		source = end + 1;
	}
}

bool cdp_translator_insert(cdp_translator *translator, uint64_t iova, uint64_t address,
			   uint64_t byte_count)
{
	set_range(&translator->to_address, iova, byte_count, (address - iova) | CDP_ENTRY_WHOLE);
	return set_range(&translator->to_iova, address, byte_count,
			 (iova - address) | CDP_ENTRY_WHOLE);
}

void cdp_translator_remove(cdp_translator *translator, uint64_t iova, uint64_t address,
			   uint64_t byte_count)
{
	set_range(&translator->to_address, iova, byte_count, 0);
	set_range(&translator->to_iova, address, byte_count, 0);
}

void cdp_translator_remove_iova(cdp_translator *translator, uint64_t iova, uint64_t byte_count)
{
	set_range(&translator->to_address, iova, byte_count, 0);
}

void cdp_translator_set_address(cdp_translator *translator, uint64_t address, uint64_t iova,
				uint64_t byte_count)
{
	set_range(&translator->to_iova, address, byte_count, (iova - address) | CDP_ENTRY_WHOLE);
}

void cdp_translator_remove_address(cdp_translator *translator, uint64_t address,
				   uint64_t byte_count)
{
	set_range(&translator->to_iova, address, byte_count, 0);
}

/* Preparing. */

static int prepare_block(cdp_translator *translator, struct direction *direction, uint64_t source)
{
	uint64_t *sector = sector_of(direction, source);

	return reserve_block(translator,
			     record_of(sector, (source & SECTOR_MASK) >> CDP_GRANULE_BITS));
}

static int prepare_direction(cdp_translator *translator, struct direction *direction,
			     uint64_t source, uint64_t byte_count, bool in_parts)
{
	uint64_t last = source + (byte_count - 1);
	int error = 0;

	for (uint64_t i = source >> CDP_SECTOR_BITS; !error && i <= last >> CDP_SECTOR_BITS; i++)
		error = reserve_sector(translator, direction, i);
	if (in_parts) {
		for (uint64_t i = source >> CDP_GIB_BITS; !error && i <= last >> CDP_GIB_BITS; i++)
			error = prepare_block(translator, direction, i << CDP_GIB_BITS);
		return error;
	}
	if (!error && source & GRANULE_MASK)
		error = prepare_block(translator, direction, source);
	if (!error && ~last & GRANULE_MASK)
		error = prepare_block(translator, direction, last);
	return error;
}

int cdp_translator_prepare(cdp_translator *translator, uint64_t iova, uint64_t address,
			   uint64_t byte_count, bool in_parts)
{
	int error = prepare_direction(translator, &translator->to_address, iova, byte_count,
				      in_parts);
	if (error)
		return error;
	return prepare_direction(translator, &translator->to_iova, address, byte_count, in_parts);
}

/* Giving back. */

/* Sub-tables without a page in use, of granules of one GiB. */
static void reclaim_sub_tables(uint64_t *sector, uint64_t granule, uint64_t last)
{
	uint64_t record = *record_of(sector, granule);
	uint64_t count = 0;

	if (!sub_table_of(record, granule))
		return;
	for (;; granule++) {
		bool is_empty = granule <= last && load(&sector[granule]) != 0 &&
				!pages_used(load(&sector[granule]));

		if (is_empty) {
			/* The entry first: from now on readers stop here. */
			store(&sector[granule], 0);
			count++;
		} else if (count) {
			give_back(sub_table_of(record, granule - 1) - (count - 1) * TABLE_ENTRIES,
				  count * PAGE_BYTES);
			count = 0;
		}
		if (granule > last)
			return;
	}
}

/* The part from `source` to `last` of one sector. */
static void reclaim_sector(uint64_t *sector, uint64_t source, uint64_t last)
{
	uint64_t *pages = NULL; /* a run of entries' pages that are empty */
	uint64_t page_count = 0;

	for (;;) {
		uint64_t end = source | GIB_MASK;
		uint64_t first = (source & SECTOR_MASK) >> CDP_GRANULE_BITS;
		uint64_t until = ((end < last ? end : last) & SECTOR_MASK) >> CDP_GRANULE_BITS;
		uint64_t start = first & ~(GIB_GRANULES - 1);

		/* With its last range a GiB loses its entries' page, and so all sub-tables. */
		if (!(*record_of(sector, first) & CDP_ENTRY_FLAGS)) {
			reclaim_sub_tables(sector, start, start + GIB_GRANULES - 1);
			if (pages && &sector[start] == pages + page_count * GIB_GRANULES) {
				page_count++;
			} else {
				if (pages)
					give_back(pages, page_count * PAGE_BYTES);
				pages = &sector[start];
				page_count = 1;
			}
		} else {
			reclaim_sub_tables(sector, first, until);
		}
		if (end >= last)
			break;
		source = end + 1;
	}
	if (pages)
		give_back(pages, page_count * PAGE_BYTES);
}

static void reclaim_direction(const struct direction *direction, uint64_t source,
			      uint64_t byte_count)
{
	uint64_t last = source + (byte_count - 1);

	for (;;) {
		uint64_t end = source | SECTOR_MASK;
		uint64_t *sector = sector_of(direction, source);

		/* None where an extent was never prepared: its batch has failed before. */
		if (sector)
			reclaim_sector(sector, source, end < last ? end : last);
		if (end >= last)
			return;
		source = end + 1;
	}
}

void cdp_translator_reclaim(cdp_translator *translator, uint64_t iova, uint64_t address,
			    uint64_t byte_count)
{
	reclaim_direction(&translator->to_address, iova, byte_count);
	reclaim_direction(&translator->to_iova, address, byte_count);
}
