#define _GNU_SOURCE /* for madvise, mincore */
#include "translator_memory.h"

#include <errno.h>
#include <sys/mman.h>

#ifndef MADV_DONTNEED_LOCKED /* Linux 5.18; the C library's headers may be older */
#define MADV_DONTNEED_LOCKED 24
#endif

#define SECTOR_MEMORY ((CDP_SECTOR_GRANULES + 2 * CDP_SECTOR_GIBS) * sizeof(uint64_t))
#define BLOCK_MEMORY (GIB_GRANULES * PAGE_BYTES)
#define BLOCKS_AT_ONCE 128u
#define DIRECTORY_MEMORY (CDP_SECTORS * sizeof(uint64_t *))
/* All of 2^64 bytes in both directions takes as many, and no process has room for them. */
#define MAPPING_CAPACITY ((uint64_t)1 << 18)
#define LIST_MEMORY (MAPPING_CAPACITY * sizeof(struct mapping))
#define CONTROL_MEMORY (PAGE_BYTES + 2 * DIRECTORY_MEMORY + LIST_MEMORY)

/* Address space that reads as zeros, resident only where it is written. */
static void *reserve(size_t byte_count)
{
	void *start = mmap(NULL, byte_count, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return NULL;
	/* After mlockall(MCL_FUTURE) the kernel would make all of it resident, were it accessible
	 * before it is unlocked. */
	if (munlock(start, byte_count) || mprotect(start, byte_count, PROT_READ | PROT_WRITE)) {
		int error = errno;
		munmap(start, byte_count);
		errno = error;
		return NULL;
	}
	/* One entry would take 2 MiB. A kernel without huge pages refuses, and has none. */
	(void)madvise(start, byte_count, MADV_NOHUGEPAGE);
	return start;
}

static int add_mapping(cdp_translator *translator, size_t byte_count, void **start)
{
	if (!translator->mappings_left || translator->mapping_count == MAPPING_CAPACITY)
		return ENOMEM;
	*start = reserve(byte_count);
	if (!*start)
		return errno;
	if (translator->mappings_left != CDP_UNLIMITED)
		translator->mappings_left--;
	translator->mappings[translator->mapping_count].start = *start;
	translator->mappings[translator->mapping_count].byte_count = byte_count;
	translator->mapping_count++;
	return 0;
}

int reserve_sector(cdp_translator *translator, struct direction *direction, uint64_t sector)
{
	void *start;
	int error;

	if (direction->sectors[sector])
		return 0;
	error = add_mapping(translator, SECTOR_MEMORY, &start);
	if (!error)
		__atomic_store_n(&direction->sectors[sector], start, __ATOMIC_RELEASE);
	return error;
}

int reserve_block(cdp_translator *translator, uint64_t *record)
{
	if (*record & ~CDP_ENTRY_FLAGS)
		return 0;
	if (translator->block == translator->blocks_end) {
		size_t byte_count = BLOCKS_AT_ONCE * BLOCK_MEMORY;
		void *start;
		int error = add_mapping(translator, byte_count, &start);

		if (error)
			return error;
		translator->block = start;
		translator->blocks_end = translator->block + byte_count;
	}
	*record |= (uint64_t)(uintptr_t)translator->block;
	translator->block += BLOCK_MEMORY;
	return 0;
}

void give_back(void *start, size_t byte_count)
{
	/* Locked memory has a call of its own. Should both be refused, the pages stay, with zeros. */
	if (madvise(start, byte_count, MADV_DONTNEED) && errno == EINVAL)
		(void)madvise(start, byte_count, MADV_DONTNEED_LOCKED);
}

static int make_direction(cdp_translator *translator, struct direction *direction, void *directory,
			  uint64_t first)
{
	int error;

	direction->sectors = directory;
	direction->home_first = first & ~SECTOR_MASK;
	error = reserve_sector(translator, direction, first >> CDP_SECTOR_BITS);
	direction->home = direction->sectors[first >> CDP_SECTOR_BITS];
	return error;
}

cdp_translator *cdp_translator_create(uint64_t iova_first, uint64_t mappings)
{
	cdp_translator *translator;
	char *directories;
	int error;

	if (!mappings) {
		errno = ENOMEM;
		return NULL;
	}
	translator = reserve(CONTROL_MEMORY);
	if (!translator)
		return NULL;
	directories = (char *)translator + PAGE_BYTES;
	translator->mappings = (struct mapping *)(void *)(directories + 2 * DIRECTORY_MEMORY);
	translator->mappings_left = mappings == CDP_UNLIMITED ? mappings : mappings - 1;
	error = make_direction(translator, &translator->to_iova, directories, 0);
	if (!error)
		error = make_direction(translator, &translator->to_address,
				       directories + DIRECTORY_MEMORY, iova_first);
	if (error) {
		cdp_translator_destroy(translator);
		errno = error;
		return NULL;
	}
	return translator;
}

void cdp_translator_destroy(cdp_translator *translator)
{
	for (uint64_t i = 0; i < translator->mapping_count; i++)
		munmap(translator->mappings[i].start, translator->mappings[i].byte_count);
	munmap(translator, CONTROL_MEMORY);
}

void cdp_translator_allow(cdp_translator *translator, uint64_t mappings)
{
	translator->mappings_left = mappings;
}

static cdp_table table_of(const struct direction *direction)
{
	cdp_table table = {direction->home, direction->home_first,
			   (uint64_t *const *)direction->sectors};
	return table;
}

cdp_table cdp_translator_to_iova(const cdp_translator *translator)
{
	return table_of(&translator->to_iova);
}

cdp_table cdp_translator_to_address(const cdp_translator *translator)
{
	return table_of(&translator->to_address);
}

static uint64_t resident(char *start, size_t byte_count)
{
	unsigned char pages[4096];
	uint64_t count = 0;

	while (byte_count) {
		size_t part = sizeof(pages) * PAGE_BYTES;

		if (part > byte_count)
			part = byte_count;
		if (!mincore(start, part, pages))
			for (size_t i = 0; i < part / PAGE_BYTES; i++)
				count += pages[i] & 1;
		start += part;
		byte_count -= part;
	}
	return count * PAGE_BYTES;
}

uint64_t cdp_translator_resident_bytes(const cdp_translator *translator)
{
	uint64_t sum = resident((char *)(uintptr_t)translator, CONTROL_MEMORY);

	for (uint64_t i = 0; i < translator->mapping_count; i++)
		sum += resident(translator->mappings[i].start, translator->mappings[i].byte_count);
	return sum;
}

uint64_t cdp_translator_reserved_bytes(const cdp_translator *translator)
{
	uint64_t sum = CONTROL_MEMORY;

	for (uint64_t i = 0; i < translator->mapping_count; i++)
		sum += translator->mappings[i].byte_count;
	return sum;
}
