/* The data plane from C: a pool, a heap and a translator, by calls and inline. */
#include "check.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

static vdm_simulator *simulator;
static vdm_domain *domain;

static void a_pool_hands_out_buffers_that_the_device_reaches(void)
{
	vdm_region region;
	REQUIRE(vdm_allocate(domain, 1 << 20, NULL, &region) == VDM_OK);
	vdm_pool_options options = VDM_POOL_OPTIONS_INIT;
	options.headroom = 64;
	vdm_pool *pool = NULL;
	CHECK(vdm_pool_create(domain, region.id, 0, &options, &pool) == VDM_E_INVALID_ARGUMENT);
	/* That one has been freed. */
	CHECK(vdm_free(domain, region.id, 0) == VDM_E_NO_SUCH_REGION);
	REQUIRE(vdm_allocate(domain, 1 << 20, NULL, &region) == VDM_OK);
	REQUIRE(vdm_pool_create(domain, region.id, 1984, &options, &pool) == VDM_OK);
	vdm_buffer buffer, buffers[600];
	size_t taken = 0;
	REQUIRE(vdm_pool_take(pool, &buffer) == VDM_OK);
	CHECK(buffer.address % 64 == 0 && buffer.iova % 64 == 0);
	CHECK(vdm_simulator_write(simulator, 0, buffer.iova, "pool", 4) == VDM_OK);
	CHECK(memcmp((void *)(uintptr_t)buffer.address, "pool", 4) == 0);
	CHECK(vdm_pool_take_bulk(pool, buffers, 600, &taken) == VDM_OK && taken == 511);
	CHECK(vdm_pool_take(pool, &buffer) == VDM_E_EXHAUSTED);
	int low = 0;
	CHECK(vdm_pool_clear_low(pool, &low) == VDM_OK && low == 1);
	CHECK(vdm_pool_give_bulk(pool, buffers, taken) == VDM_OK);
	CHECK(vdm_pool_give(pool, buffer) == VDM_OK);
	vdm_pool_statistics statistics;
	statistics.size = sizeof(statistics);
	CHECK(vdm_pool_get_statistics(pool, &statistics) == VDM_OK);
	CHECK(statistics.capacity == 512 && statistics.in_use == 0);
	vdm_region more;
	REQUIRE(vdm_allocate(domain, 1 << 20, NULL, &more) == VDM_OK);
	CHECK(vdm_pool_grow(pool, domain, more.id) == VDM_OK);
	CHECK(vdm_pool_get_statistics(pool, &statistics) == VDM_OK && statistics.capacity == 1024);
	size_t freed = 0;
	CHECK(vdm_pool_trim(pool, &freed) == VDM_OK && freed == 1);
	/* The region is the pool's: nobody unmaps it underneath. */
	CHECK(vdm_free(domain, region.id, 0) != VDM_OK);

	cdp_pool *fast = vdm_pool_datapath(pool);
	REQUIRE(fast != NULL && vdm_pool_datapath(NULL) == NULL);
	vdm_buffer inlined = vdm_take(fast);
	CHECK(inlined.address != 0);
	vdm_give(fast, inlined);
	CHECK(vdm_take_bulk(fast, buffers, 8) == 8);
	vdm_give_bulk(fast, buffers, 8);
	CHECK(vdm_pool_destroy(pool) == VDM_OK);
	CHECK(vdm_pool_take(pool, &buffer) == VDM_E_BAD_HANDLE);
	CHECK(vdm_simulator_write(simulator, 0, buffer.iova, "x", 1) == VDM_OK ||
	      vdm_simulator_clear_faults(simulator) == VDM_OK);
}

static void a_heap_hands_out_blocks_and_finds_out_misuse(void)
{
	vdm_heap_options options = VDM_HEAP_OPTIONS_INIT;
	vdm_heap *heap, *other;
	REQUIRE(vdm_heap_create(domain, &options, &heap) == VDM_OK);
	REQUIRE(vdm_heap_create(domain, NULL, &other) == VDM_OK);
	vdm_block block, aligned;
	REQUIRE(vdm_heap_take(heap, 100, 0, &block) == VDM_OK);
	CHECK(vdm_block_byte_count(block) == 128);
	CHECK(vdm_heap_take(heap, 100, 4096, &aligned) == VDM_OK);
	CHECK((uintptr_t)aligned.address % 4096 == 0 && aligned.iova % 4096 == 0);
	CHECK(vdm_heap_take(heap, 100, 48, &aligned) == VDM_E_INVALID_ARGUMENT);
	CHECK(vdm_heap_take(heap, 0, 0, &aligned) == VDM_E_INVALID_ARGUMENT);
	CHECK(vdm_heap_take(heap, 1 << 30, 0, &aligned) == VDM_E_EXHAUSTED);
	CHECK(vdm_simulator_write(simulator, 0, block.iova, "heap", 4) == VDM_OK);
	CHECK(memcmp(block.address, "heap", 4) == 0);
	CHECK(vdm_heap_give(other, block) == VDM_E_INVALID_ARGUMENT);
	CHECK(vdm_heap_give(heap, block) == VDM_OK);
	CHECK(vdm_heap_give(heap, block) == VDM_E_INVALID_ARGUMENT);
	CHECK(vdm_heap_give(heap, aligned) == VDM_OK);
	CHECK(vdm_heap_grow(heap, 4 << 20) == VDM_OK);
	vdm_heap_statistics statistics;
	statistics.size = sizeof(statistics);
	CHECK(vdm_heap_get_statistics(heap, &statistics) == VDM_OK);
	CHECK(statistics.extents == 3 && statistics.blocks == 0);
	size_t freed = 0;
	CHECK(vdm_heap_trim(heap, 1, &freed) == VDM_OK && freed == 2);
	CHECK(vdm_heap_destroy(heap) == VDM_OK && vdm_heap_destroy(other) == VDM_OK);
	CHECK(vdm_heap_take(heap, 64, 0, &block) == VDM_E_BAD_HANDLE);
}

static void a_translator_finds_what_lives_and_nothing_else(void)
{
	vdm_translator *translator;
	REQUIRE(vdm_translator_create(domain, &translator) == VDM_OK);
	vdm_region region;
	REQUIRE(vdm_allocate(domain, 4 << 20, NULL, &region) == VDM_OK);
	char *first = (char *)region.address;
	uint64_t iova = 0;
	void *address = NULL;
	CHECK(vdm_translator_iova(translator, first + 5000, 64, &iova) == VDM_OK);
	CHECK(iova == region.iova + 5000);
	CHECK(vdm_translator_address(translator, region.iova + 4095, 2, &address) == VDM_OK);
	CHECK(address == first + 4095);
	CHECK(vdm_translator_iova(translator, first + (4 << 20) - 8, 9, &iova) ==
	      VDM_E_NOT_MAPPED);
	vdm_segment segments[4];
	size_t count = 0;
	CHECK(vdm_translator_segments(translator, first, 4 << 20, segments, 4, &count) == VDM_OK);
	CHECK(count == 1 && segments[0].byte_count == 4 << 20);
	CHECK(vdm_translator_segments(translator, first, 4 << 20, NULL, 0, &count) ==
	      VDM_E_TOO_SMALL);
	vdm_tables tables;
	REQUIRE(vdm_translator_tables(translator, &tables) == VDM_OK);
	CHECK(vdm_iova_of(&tables, first, 4 << 20, &iova) && iova == region.iova);
	CHECK(vdm_address_of(&tables, region.iova, 1, &address) && address == first);
	CHECK(vdm_free(domain, region.id, 0) == VDM_OK);
	CHECK(!vdm_iova_of(&tables, first, 1, &iova));
	CHECK(vdm_translator_iova(translator, first, 1, &iova) == VDM_E_NOT_MAPPED);
	CHECK(vdm_translator_destroy(translator) == VDM_OK);
	CHECK(vdm_translator_iova(translator, first, 1, &iova) == VDM_E_BAD_HANDLE);
}

static void a_snapshot_names_regions_by_their_tags(void)
{
	vdm_region_options options = VDM_REGION_OPTIONS_INIT;
	options.tag = "the tag of a test";
	vdm_region region;
	REQUIRE(vdm_allocate(domain, 4096, &options, &region) == VDM_OK);
	char *json = NULL;
	REQUIRE(vdm_domain_get_snapshot(domain, &json) == VDM_OK);
	CHECK(json[0] == '{' && strstr(json, "the tag of a test") != NULL);
	vdm_string_free(json);
	CHECK(vdm_free(domain, region.id, 0) == VDM_OK);
	CHECK(vdm_domain_get_snapshot(domain, NULL) == VDM_E_NULL_ARGUMENT);
}

static vdm_pool *shared;

static void *work(void *argument)
{
	vdm_buffer buffer;
	for (int i = 0; i < 100000; i++)
		if (vdm_pool_take(shared, &buffer) == VDM_OK)
			vdm_pool_give(shared, buffer);
	return argument;
}

static void threads_share_a_pool(void)
{
	vdm_region region;
	REQUIRE(vdm_allocate(domain, 1 << 20, NULL, &region) == VDM_OK);
	REQUIRE(vdm_pool_create(domain, region.id, 2048, NULL, &shared) == VDM_OK);
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		REQUIRE(pthread_create(&threads[i], NULL, work, NULL) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	vdm_pool_statistics statistics;
	statistics.size = sizeof(statistics);
	CHECK(vdm_pool_get_statistics(shared, &statistics) == VDM_OK && statistics.in_use == 0);
	CHECK(statistics.free_in_depot + statistics.free_in_caches == statistics.capacity);
	CHECK(vdm_pool_destroy(shared) == VDM_OK);
}

int main(void)
{
	vdm_device *device;
	REQUIRE(vdm_simulator_create(NULL, &simulator) == VDM_OK);
	REQUIRE(vdm_simulator_open(simulator, &device) == VDM_OK);
	REQUIRE(vdm_domain_create(device, 0, NULL, &domain) == VDM_OK);
	a_pool_hands_out_buffers_that_the_device_reaches();
	a_heap_hands_out_blocks_and_finds_out_misuse();
	a_translator_finds_what_lives_and_nothing_else();
	a_snapshot_names_regions_by_their_tags();
	threads_share_a_pool();
	CHECK(vdm_domain_close(domain) == VDM_OK);
	CHECK(vdm_device_close(device) == VDM_OK);
	CHECK(vdm_simulator_destroy(simulator) == VDM_OK);
	return finish();
}
