#include "vdm_internal.h"

#include "cdatapath_heap.h"

/* What runs per buffer, block and translation: a look at the handle, and the inline operation. */

static cdp_pool *pool_of(const vdm_pool *pool)
{
	return cvdm_handle_fast(pool, CVDM_KIND_POOL);
}

cdp_pool *vdm_pool_datapath(vdm_pool *pool)
{
	return pool_of(pool);
}

int vdm_pool_take(vdm_pool *pool, vdm_buffer *buffer)
{
	cdp_pool *fast = pool_of(pool);
	if (!fast)
		return cvdm_error_record_code(VDM_E_BAD_HANDLE);
	if (!buffer)
		return cvdm_error_record_code(VDM_E_NULL_ARGUMENT);
	vdm_buffer taken = cdp_pool_take(fast);
	if (!taken.address)
		return VDM_E_EXHAUSTED;
	*buffer = taken;
	return VDM_OK;
}

int vdm_pool_give(vdm_pool *pool, vdm_buffer buffer)
{
	cdp_pool *fast = pool_of(pool);
	if (!fast)
		return cvdm_error_record_code(VDM_E_BAD_HANDLE);
	if (!buffer.address)
		return cvdm_error_record_code(VDM_E_NULL_ARGUMENT);
	cdp_pool_give(fast, buffer);
	return VDM_OK;
}

int vdm_pool_take_bulk(vdm_pool *pool, vdm_buffer *buffers, size_t count, size_t *taken)
{
	cdp_pool *fast = pool_of(pool);
	if (!fast)
		return cvdm_error_record_code(VDM_E_BAD_HANDLE);
	if (!buffers || !taken)
		return cvdm_error_record_code(VDM_E_NULL_ARGUMENT);
	*taken = cdp_pool_take_bulk(fast, buffers, count);
	return VDM_OK;
}

int vdm_pool_give_bulk(vdm_pool *pool, const vdm_buffer *buffers, size_t count)
{
	cdp_pool *fast = pool_of(pool);
	if (!fast)
		return cvdm_error_record_code(VDM_E_BAD_HANDLE);
	if (!buffers)
		return cvdm_error_record_code(VDM_E_NULL_ARGUMENT);
	cdp_pool_give_bulk(fast, buffers, count);
	return VDM_OK;
}

int vdm_heap_take(vdm_heap *heap, uint64_t byte_count, uint64_t alignment, vdm_block *block)
{
	struct cdp_heap *fast = cvdm_handle_fast(heap, CVDM_KIND_HEAP);
	if (!fast)
		return cvdm_error_record_code(VDM_E_BAD_HANDLE);
	if (!block)
		return cvdm_error_record_code(VDM_E_NULL_ARGUMENT);
	if (!byte_count || (alignment & (alignment - 1)))
		return cvdm_error_record_code(VDM_E_INVALID_ARGUMENT);
	cdp_heap_lock(fast);
	struct cdp_block taken = cdp_heap_take_aligned(fast, byte_count, alignment ? alignment : 1);
	cdp_heap_unlock(fast);
	if (!taken.address)
		return VDM_E_EXHAUSTED;
	block->address = (void *)(uintptr_t)taken.address;
	block->iova = taken.iova;
	block->token = taken.token;
	return VDM_OK;
}

static struct cdp_block plain(vdm_block block)
{
	struct cdp_block plain = {(uint64_t)(uintptr_t)block.address, block.iova, block.token};
	return plain;
}

int vdm_heap_give(vdm_heap *heap, vdm_block block)
{
	struct cdp_heap *fast = cvdm_handle_fast(heap, CVDM_KIND_HEAP);
	if (!fast)
		return cvdm_error_record_code(VDM_E_BAD_HANDLE);
	if (!block.address)
		return cvdm_error_record_code(VDM_E_NULL_ARGUMENT);
	cdp_heap_lock(fast);
	bool is_taken = cdp_heap_give(fast, plain(block));
	cdp_heap_unlock(fast);
	return is_taken ? VDM_OK : cvdm_error_record_code(VDM_E_INVALID_ARGUMENT);
}

uint64_t vdm_block_byte_count(vdm_block block)
{
	return block.address ? cdp_block_byte_count(plain(block)) : 0;
}

static const vdm_tables *tables_of(const vdm_translator *translator)
{
	return cvdm_handle_fast(translator, CVDM_KIND_TRANSLATOR);
}

int vdm_translator_tables(vdm_translator *translator, vdm_tables *tables)
{
	const vdm_tables *known = tables_of(translator);
	if (!known)
		return cvdm_error_record_code(VDM_E_BAD_HANDLE);
	if (!tables)
		return cvdm_error_record_code(VDM_E_NULL_ARGUMENT);
	*tables = *known;
	return VDM_OK;
}

/* What cdp_translate does first: the entry of the home sector's granule that holds all of the
 * range, if it is whole; else 0. Not a part of it: its inline callers lose a quarter of a
 * nanosecond when the entry has to be compared once more. */
CDP_ALWAYS_INLINE uint64_t whole_entry(const cdp_table *table, uint64_t source, uint64_t count)
{
	uint64_t offset = source - table->home_first;
	uint64_t within = offset & ~(CDP_SECTOR_BYTES - CDP_GRANULE_BYTES);

	if (CDP_LIKELY(count - 1 < CDP_GRANULE_BYTES && within < CDP_GRANULE_BYTES - (count - 1))) {
		uint64_t entry = cdp_load_entry(&table->home[offset >> CDP_GRANULE_BITS]);

		if (CDP_LIKELY(entry & CDP_ENTRY_WHOLE))
			return entry;
	}
	return 0;
}

/* Whatever is no whole granule. Apart, and called last: so the way through whole ones, below, needs
 * no frame and saves no register. */
static __attribute__((noinline)) int translate_rest(const cdp_table *table, uint64_t source,
						     uint64_t byte_count, uint64_t *target)
{
	cdp_translation found = cdp_translate_rest(table->home, table->home_first, table->sectors,
						   source, byte_count);
	if (!found.is_found)
		return VDM_E_NOT_MAPPED;
	*target = found.target;
	return VDM_OK;
}

int vdm_translator_iova(vdm_translator *translator, const void *address, uint64_t byte_count,
			uint64_t *iova)
{
	const vdm_tables *tables = tables_of(translator);
	if (!tables)
		return cvdm_error_record_code(VDM_E_BAD_HANDLE);
	if (!iova)
		return cvdm_error_record_code(VDM_E_NULL_ARGUMENT);
	uint64_t source = (uint64_t)(uintptr_t)address;
	uint64_t entry = whole_entry(&tables->to_iova, source, byte_count);
	if (!CDP_LIKELY(entry))
		return translate_rest(&tables->to_iova, source, byte_count, iova);
	*iova = source + (entry - CDP_ENTRY_WHOLE);
	return VDM_OK;
}

/* The same into a pointer. */
static __attribute__((noinline)) int address_rest(const cdp_table *table, uint64_t iova,
						   uint64_t byte_count, void **address)
{
	uint64_t found;
	int code = translate_rest(table, iova, byte_count, &found);
	if (code == VDM_OK)
		*address = (void *)(uintptr_t)found;
	return code;
}

int vdm_translator_address(vdm_translator *translator, uint64_t iova, uint64_t byte_count,
			   void **address)
{
	const vdm_tables *tables = tables_of(translator);
	if (!tables)
		return cvdm_error_record_code(VDM_E_BAD_HANDLE);
	if (!address)
		return cvdm_error_record_code(VDM_E_NULL_ARGUMENT);
	uint64_t entry = whole_entry(&tables->to_address, iova, byte_count);
	if (!CDP_LIKELY(entry))
		return address_rest(&tables->to_address, iova, byte_count, address);
	*address = (void *)(uintptr_t)(iova + (entry - CDP_ENTRY_WHOLE));
	return VDM_OK;
}

int vdm_translator_segments(vdm_translator *translator, const void *address, uint64_t byte_count,
			    vdm_segment *segments, size_t capacity, size_t *count)
{
	const vdm_tables *tables = tables_of(translator);
	if (!tables)
		return cvdm_error_record_code(VDM_E_BAD_HANDLE);
	if (!count || (!segments && capacity))
		return cvdm_error_record_code(VDM_E_NULL_ARGUMENT);
	cdp_split split = cdp_translate_segments(&tables->to_iova, (uint64_t)(uintptr_t)address,
						 byte_count, segments, capacity);
	*count = split.segment_count;
	if (split.translated_bytes < byte_count)
		return VDM_E_NOT_MAPPED;
	return split.segment_count <= capacity ? VDM_OK : VDM_E_TOO_SMALL;
}
