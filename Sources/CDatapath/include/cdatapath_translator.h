#ifndef CDATAPATH_TRANSLATOR_H
#define CDATAPATH_TRANSLATOR_H

#include "cdatapath_translate.h"

#include <stdbool.h>
#include <stdint.h>


/* The writer's side of cdatapath_translate.h: two tables, one for each direction. One caller at a
 * time (the domain's lock); only destroy must not meet a reader.
 *
 * What can fail is prepare, which reserves address space: whatever was prepared is inserted and
 * removed without fail, as often as wanted. Ranges are whole 4 KiB pages, neither side wraps, and
 * an IOVA is given once; the same memory may have several IOVAs, see cdp_translator_insert.
 *
 * Resident memory, with both tables: 8 bytes per direction for each 2 MiB of mapped ranges, in
 * pages of 4 KiB that cover 1 GiB; 4 KiB per direction for each granule of 2 MiB that is mapped in
 * parts; 8 KiB per direction for each 512 GiB (summaries, and where the sub-tables are) that had a
 * granule in parts or wholly mapped GiBs; the kernel's own page tables on top, at most 4 KiB for
 * each 2 MiB of tables in use. So it is bounded by what is mapped, however sparsely: at most
 *
 *   2 * (8 KiB * regions + 4 KiB * GiBs touched + 8 KiB * spans of 512 GiB ever touched)
 *
 * Sub-tables that have become empty inside a range that is still prepared as a whole (a shared
 * extent) stay resident until it goes: 1/512 of the extent. Address space: 514 MiB for each sector
 * of 2^47 bytes in use, 2 MiB for each GiB that ever held a granule in parts, 6 MiB once, all
 * MAP_NORESERVE. After mlockall(MCL_FUTURE) tables are still resident only where used; a later
 * mlockall(MCL_CURRENT) without MCL_ONFAULT makes all of that address space resident. */

typedef struct cdp_translator cdp_translator;

#define CDP_UNLIMITED UINT64_MAX

/* A translator of nothing, or NULL with errno set and nothing left behind.
 *
 * iova_first: an IOVA of the sector that is found without a load. mappings: how many calls of mmap
 * may succeed, for tests; else CDP_UNLIMITED. */
cdp_translator *cdp_translator_create(uint64_t iova_first, uint64_t mappings);
void cdp_translator_destroy(cdp_translator *translator);
void cdp_translator_allow(cdp_translator *translator, uint64_t mappings);

/* What readers hold; valid until destroy. */
cdp_table cdp_translator_to_iova(const cdp_translator *translator);
cdp_table cdp_translator_to_address(const cdp_translator *translator);

/* Reserves what inserting the range takes: any part of it, where in_parts says so, else all of it
 * at once. 0, or an errno; address space that was reserved before a failure serves the next
 * attempt. */
int cdp_translator_prepare(cdp_translator *translator, uint64_t iova, uint64_t address,
			   uint64_t byte_count, bool in_parts);

/* Makes a prepared range known. Whether some of the memory was known under another IOVA, which this
 * one now hides: the caller settles with cdp_translator_set_address what that memory is to give. */
bool cdp_translator_insert(cdp_translator *translator, uint64_t iova, uint64_t address,
			   uint64_t byte_count);
void cdp_translator_remove(cdp_translator *translator, uint64_t iova, uint64_t address,
			   uint64_t byte_count);

/* The directions by themselves, for memory with several IOVAs. Its boundaries are those of ranges
 * that were prepared. Readers never see a gap while one IOVA takes the place of another. */
void cdp_translator_remove_iova(cdp_translator *translator, uint64_t iova,
				uint64_t byte_count);
void cdp_translator_set_address(cdp_translator *translator, uint64_t address,
				uint64_t iova, uint64_t byte_count);
void cdp_translator_remove_address(cdp_translator *translator, uint64_t address,
				   uint64_t byte_count);

/* Gives the memory of tables back in which, in and around this range, nothing is left. Some
 * madvise calls; never fails, since what it does not give back stays zero. */
void cdp_translator_reclaim(cdp_translator *translator, uint64_t iova, uint64_t address,
			    uint64_t byte_count);

/* By mincore, for tests and reports: slow. Pages that readers alone have touched count as well. */
uint64_t cdp_translator_resident_bytes(const cdp_translator *translator);
uint64_t cdp_translator_reserved_bytes(const cdp_translator *translator);

#endif
