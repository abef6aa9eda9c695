#ifndef CDATAPATH_TRANSLATE_H
#define CDATAPATH_TRANSLATE_H

#include <stdbool.h>
#include <stdint.h>

/* Address -> IOVA and IOVA -> address, read per packet: no lock, no system call, and one load where
 * the answer lies in a whole granule. cdatapath_translator.h is the writer's side.
 *
 * A table knows one direction. It is keyed by granules of 2 MiB, and a flat array of 8 bytes per
 * granule covers a sector of 2^47 bytes: 512 MiB of address space, of which only the pages are
 * resident that have been written. An entry is 0 (nothing is mapped), or
 *
 *   delta | WHOLE             all of the granule: target = source + delta, a multiple of 4 KiB
 *   sub-table | SUB | n << 2  512 entries of 4 KiB each, n of them in use: delta | WHOLE, or 0
 *
 * so that a reader needs no second look to add. One sector, home, is found without a load: sector
 * 0, or where a device's range begins. Others lie behind a directory of pointers. Behind its
 * entries a sector has summaries, one word per GiB: the entry of all 512 granules where these are
 * equal, else 0; long ranges are walked by them.
 *
 * While another thread maps and unmaps: there is one writer at a time. It fills a sub-table before
 * it stores the entry that leads there, by release stores, and readers load by acquire (plain loads
 * on x86-64, ldar or ldapr on arm64). A read that begins after an unmap has returned finds 0: the
 * writer has zeroed every entry, summaries first. A reader that was overtaken in the middle reads
 * what its own granule has, before or after, or zeros, which are a miss: a sub-table belongs to its
 * granule for the life of the translator. Memory with nothing but zeros goes back to the kernel
 * (MADV_DONTNEED) with its address space kept, so that it may be read at any time, as zeros. Hence
 * no grace period, no counters, and nothing that a reader must tell anybody.
 *
 * A range that is longer than a granule is read entry by entry: an answer that was given is true
 * of each part at some moment during the call. */

#define CDP_PAGE_BITS 12u
#define CDP_GRANULE_BITS 21u
#define CDP_GIB_BITS 30u
#define CDP_SECTOR_BITS 47u
#define CDP_GRANULE_BYTES ((uint64_t)1 << CDP_GRANULE_BITS)
#define CDP_GIB_BYTES ((uint64_t)1 << CDP_GIB_BITS)
#define CDP_SECTOR_BYTES ((uint64_t)1 << CDP_SECTOR_BITS)
#define CDP_SECTORS ((uint64_t)1 << (64u - CDP_SECTOR_BITS))
#define CDP_SECTOR_GRANULES ((uint64_t)1 << (CDP_SECTOR_BITS - CDP_GRANULE_BITS))
#define CDP_SECTOR_GIBS ((uint64_t)1 << (CDP_SECTOR_BITS - CDP_GIB_BITS))

#define CDP_ENTRY_WHOLE ((uint64_t)1)
#define CDP_ENTRY_SUB ((uint64_t)2)
#define CDP_ENTRY_FLAGS (((uint64_t)1 << CDP_PAGE_BITS) - 1)

#if defined(__GNUC__)
#define CDP_LIKELY(x) __builtin_expect(!!(x), 1)
#define CDP_ALWAYS_INLINE static inline __attribute__((always_inline))
#define CDP_APART static __attribute__((noinline, unused))
#else
#define CDP_LIKELY(x) (x)
#define CDP_ALWAYS_INLINE static inline
#define CDP_APART static inline
#endif

/* One direction, as a reader holds it: by value, so that its words can stay in registers. */
typedef struct cdp_table {
	const uint64_t *home;		  /* entries, then summaries, of the home sector */
	uint64_t home_first;		  /* the first byte of the home sector */
	uint64_t *const *sectors; /* by source >> 47; a null pointer: never used */
} cdp_table;

/* The answer for a whole range. */
typedef struct cdp_translation {
	uint64_t target;
	bool is_found;
} cdp_translation;

/* Where a range begins, and how far it goes on in one piece: 0 bytes where nothing is mapped. */
typedef struct cdp_run {
	uint64_t target;
	uint64_t byte_count;
} cdp_run;

/* A piece of a buffer that is contiguous on both sides. */
typedef struct cdp_segment {
	uint64_t address;
	uint64_t iova;
	uint64_t byte_count;
} cdp_segment;

/* What a buffer was split into. */
typedef struct cdp_split {
	uint64_t segment_count;	  /* needed for all of it; the first ones are stored */
	uint64_t translated_bytes; /* up to the first byte that is not mapped, or all */
} cdp_split;

static inline const uint64_t *cdp_sector(const cdp_table *table, uint64_t source)
{
	if (CDP_LIKELY((source - table->home_first) >> CDP_SECTOR_BITS == 0))
		return table->home;
	return __atomic_load_n(&table->sectors[source >> CDP_SECTOR_BITS], __ATOMIC_ACQUIRE);
}

static inline uint64_t cdp_load_entry(const uint64_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

/* The last byte, up to `last`, that goes on like the 4 KiB page of `source`, which is at the start
 * of what a sub-table describes. At least source - 1, which may wrap: then nothing does. */
static inline uint64_t cdp_sub_table_end(uint64_t sub, uint64_t entry, uint64_t source,
					 uint64_t last)
{
	const uint64_t *pages = (const uint64_t *)(uintptr_t)(sub & ~CDP_ENTRY_FLAGS);
	uint64_t page = (source & (CDP_GRANULE_BYTES - 1)) >> CDP_PAGE_BITS;
	uint64_t end = source - 1;

	for (; page < 512 && cdp_load_entry(&pages[page]) == entry; page++) {
		end = (end + 1) | CDP_ENTRY_FLAGS;
		if (end >= last)
			return last;
	}
	return end;
}

/* The entry of the 4 KiB page that holds `source`: delta | WHOLE, or 0. */
static inline uint64_t cdp_page_entry(const cdp_table *table, uint64_t source)
{
	const uint64_t *sector = cdp_sector(table, source);
	uint64_t entry;

	if (!sector)
		return 0;
	entry = cdp_load_entry(&sector[(source & (CDP_SECTOR_BYTES - 1)) >> CDP_GRANULE_BITS]);
	if (entry & CDP_ENTRY_SUB) {
		const uint64_t *pages = (const uint64_t *)(uintptr_t)(entry & ~CDP_ENTRY_FLAGS);

		entry = cdp_load_entry(
			&pages[(source & (CDP_GRANULE_BYTES - 1)) >> CDP_PAGE_BITS]);
	}
	return entry;
}

/* The last byte up to `last` that has the same delta as `entry`, from `source` on without a gap;
 * source - 1 where not even the first has. */
static inline uint64_t cdp_run_end(const cdp_table *table, uint64_t entry, uint64_t source,
				   uint64_t last)
{
	uint64_t at = source;

	for (;;) {
		const uint64_t *sector = cdp_sector(table, at);
		uint64_t offset = at & (CDP_SECTOR_BYTES - 1);
		uint64_t found, end;

		if (!sector)
			return at - 1;
		if (!(at & (CDP_GIB_BYTES - 1)) &&
		    cdp_load_entry(&sector[CDP_SECTOR_GRANULES + (offset >> CDP_GIB_BITS)]) ==
			    entry) {
			end = at | (CDP_GIB_BYTES - 1);
		} else {
			found = cdp_load_entry(&sector[offset >> CDP_GRANULE_BITS]);
			end = at | (CDP_GRANULE_BYTES - 1);
			if (found & CDP_ENTRY_SUB) {
				uint64_t piece = cdp_sub_table_end(found, entry, at, last);

				if (piece != end || end >= last)
					return piece;
			} else if (found != entry) {
				return at - 1;
			}
		}
		if (end >= last)
			return last;
		at = end + 1;
	}
}

/* From `source` on, up to `limit` bytes in one piece on both sides. O(1) per granule of 2 MiB, per
 * GiB where all of one is alike, per 4 KiB page in granules that are mapped in parts. */
static inline cdp_run cdp_translate_run(const cdp_table *table, uint64_t source, uint64_t limit)
{
	cdp_run run = {0, 0};
	uint64_t entry = cdp_page_entry(table, source);
	uint64_t more = limit - 1;

	if (!entry || !limit)
		return run;
	run.target = source + (entry - CDP_ENTRY_WHOLE);
	/* Neither side goes on behind byte 2^64 - 1. */
	if (more > ~source)
		more = ~source;
	if (more > ~run.target)
		more = ~run.target;
	run.byte_count = cdp_run_end(table, entry, source, source + more) - source + 1;
	return run;
}

/* What cdp_translate leaves: granules in parts, ranges across granules, other sectors, misses. A
 * call, with words for arguments, so that the loop around cdp_translate keeps its registers. */
CDP_APART cdp_translation cdp_translate_rest(const uint64_t *home, uint64_t home_first,
					     uint64_t *const *sectors, uint64_t source,
					     uint64_t count)
{
	const cdp_table table = {home, home_first, sectors};
	cdp_translation result = {0, false};
	uint64_t entry;
	cdp_run run;

	/* Most of what comes here lies in one page. */
	if (count - 1 < ((uint64_t)1 << CDP_PAGE_BITS) - (source & CDP_ENTRY_FLAGS)) {
		entry = cdp_page_entry(&table, source);
		result.target = source + (entry & ~CDP_ENTRY_FLAGS);
		result.is_found = entry != 0;
		return result;
	}
	run = cdp_translate_run(&table, source, count);
	result.target = run.target;
	result.is_found = count != 0 && run.byte_count == count;
	return result;
}

/* Where the range [source, source + count) lies, if all of it is mapped in one piece; never for 0
 * bytes. */
CDP_ALWAYS_INLINE cdp_translation cdp_translate(cdp_table table, uint64_t source, uint64_t count)
{
	uint64_t offset = source - table.home_first;
	/* Without the granule's number what is left is small only where the sector is home, and then
	 * it is the offset in the granule: one comparison for both. */
	uint64_t within = offset & ~(CDP_SECTOR_BYTES - CDP_GRANULE_BYTES);

	if (CDP_LIKELY(count - 1 < CDP_GRANULE_BYTES && within < CDP_GRANULE_BYTES - (count - 1))) {
		uint64_t entry = cdp_load_entry(&table.home[offset >> CDP_GRANULE_BITS]);

		if (CDP_LIKELY(entry & CDP_ENTRY_WHOLE)) {
			cdp_translation result = {source + (entry - CDP_ENTRY_WHOLE), true};

			return result;
		}
	}
	return cdp_translate_rest(table.home, table.home_first, table.sectors, source, count);
}

/* Splits a buffer where it does not go on in one piece; `to_iova` is keyed by address. */
static inline cdp_split cdp_translate_segments(const cdp_table *to_iova, uint64_t address,
					       uint64_t byte_count, cdp_segment *segments,
					       uint64_t capacity)
{
	cdp_split split = {0, 0};

	while (split.translated_bytes < byte_count) {
		uint64_t at = address + split.translated_bytes;
		cdp_run run =
			cdp_translate_run(to_iova, at, byte_count - split.translated_bytes);

		if (!run.byte_count)
			break;
		if (split.segment_count < capacity) {
			segments[split.segment_count].address = at;
			segments[split.segment_count].iova = run.target;
			segments[split.segment_count].byte_count = run.byte_count;
		}
		split.segment_count++;
		split.translated_bytes += run.byte_count;
	}
	return split;
}

#endif
