/* Every entry point survives null, stale, made-up and wrong handles, and null arguments. */
#include "check.h"

#include <string.h>
#include <unistd.h>

/* Handles of every wrong kind in the place of one that is wanted. */
#define EACH_CALL(X)                                                                               \
	X(device_close, vdm_device_close((vdm_device *)h))                                         \
	X(device_get_info, vdm_device_get_info((vdm_device *)h, &device_info))                     \
	X(device_get_status, vdm_device_get_status((vdm_device *)h, &byte))                        \
	X(device_set_status, vdm_device_set_status((vdm_device *)h, 0))                            \
	X(device_reset, vdm_device_reset((vdm_device *)h))                                         \
	X(device_suspend, vdm_device_suspend((vdm_device *)h))                                     \
	X(device_resume, vdm_device_resume((vdm_device *)h))                                       \
	X(device_get_features, vdm_device_get_features((vdm_device *)h, &number))                  \
	X(device_set_features, vdm_device_set_features((vdm_device *)h, 0))                        \
	X(device_get_config_size, vdm_device_get_config_size((vdm_device *)h, &size))              \
	X(device_get_config, vdm_device_get_config((vdm_device *)h, 0, &byte, 1))                  \
	X(device_set_config, vdm_device_set_config((vdm_device *)h, 0, &byte, 1))                  \
	X(device_set_config_call, vdm_device_set_config_call((vdm_device *)h, -1))                 \
	X(device_reset_owner, vdm_device_reset_owner((vdm_device *)h))                             \
	X(device_set_log_base, vdm_device_set_log_base((vdm_device *)h, 0))                        \
	X(device_set_log_descriptor, vdm_device_set_log_descriptor((vdm_device *)h, -1))           \
	X(queue_set_size, vdm_queue_set_size((vdm_device *)h, 0, 2))                               \
	X(queue_set_addresses, vdm_queue_set_addresses((vdm_device *)h, 0, &rings))                \
	X(queue_get_base, vdm_queue_get_base((vdm_device *)h, 0, &word))                           \
	X(queue_set_base, vdm_queue_set_base((vdm_device *)h, 0, 0))                               \
	X(queue_set_enabled, vdm_queue_set_enabled((vdm_device *)h, 0, 1))                         \
	X(queue_set_kick, vdm_queue_set_kick((vdm_device *)h, 0, -1))                              \
	X(queue_set_call, vdm_queue_set_call((vdm_device *)h, 0, -1))                              \
	X(queue_set_err, vdm_queue_set_err((vdm_device *)h, 0, -1))                                \
	X(queue_get_group, vdm_queue_get_group((vdm_device *)h, 0, &word))                         \
	X(queue_get_descriptor_group, vdm_queue_get_descriptor_group((vdm_device *)h, 0, &word))   \
	X(group_set_address_space, vdm_group_set_address_space((vdm_device *)h, 0, 0))             \
	X(domain_create, vdm_domain_create((vdm_device *)h, 0, NULL, &made_domain))                \
	X(domain_close, vdm_domain_close((vdm_domain *)h))                                         \
	X(domain_get_range, vdm_domain_get_range((vdm_domain *)h, &range))                         \
	X(attach, vdm_attach((vdm_domain *)h, (vdm_device *)h, 0))                                 \
	X(detach, vdm_detach((vdm_domain *)h, (vdm_device *)h, 0, 0))                              \
	X(flush, vdm_flush((vdm_domain *)h))                                                       \
	X(flush_older_than, vdm_flush_older_than((vdm_domain *)h, 1))                              \
	X(trim, vdm_trim((vdm_domain *)h))                                                         \
	X(remap, vdm_remap((vdm_domain *)h))                                                       \
	X(domain_needs_remap, vdm_domain_needs_remap((vdm_domain *)h, &integer))                   \
	X(allocate, vdm_allocate((vdm_domain *)h, 4096, NULL, &region))                            \
	X(register, vdm_register((vdm_domain *)h, page, 4096, NULL, &region))                      \
	X(free, vdm_free((vdm_domain *)h, region.id, 0))                                           \
	X(region_get_info, vdm_region_get_info((vdm_domain *)h, region.id, &region_info))          \
	X(region_export, vdm_region_export((vdm_domain *)h, region.id, &exported))                 \
	X(batch, vdm_batch((vdm_domain *)h, &operation, 1))                                        \
	X(domain_get_statistics, vdm_domain_get_statistics((vdm_domain *)h, &statistics))          \
	X(domain_get_budget, vdm_domain_get_budget((vdm_domain *)h, &budget))                      \
	X(domain_get_requirement,                                                                  \
	  vdm_domain_get_requirement((vdm_domain *)h, 1, 4096, NULL, &requirement))                \
	X(domain_get_snapshot, vdm_domain_get_snapshot((vdm_domain *)h, &json))                    \
	X(pool_create, vdm_pool_create((vdm_domain *)h, region.id, 64, NULL, &made_pool))          \
	X(pool_destroy, vdm_pool_destroy((vdm_pool *)h))                                           \
	X(pool_take, vdm_pool_take((vdm_pool *)h, &buffer))                                        \
	X(pool_give, vdm_pool_give((vdm_pool *)h, buffer))                                         \
	X(pool_take_bulk, vdm_pool_take_bulk((vdm_pool *)h, &buffer, 1, &size))                    \
	X(pool_give_bulk, vdm_pool_give_bulk((vdm_pool *)h, &buffer, 1))                           \
	X(pool_grow, vdm_pool_grow((vdm_pool *)h, (vdm_domain *)h, region.id))                     \
	X(pool_trim, vdm_pool_trim((vdm_pool *)h, &size))                                          \
	X(pool_clear_low, vdm_pool_clear_low((vdm_pool *)h, &integer))                             \
	X(pool_get_statistics, vdm_pool_get_statistics((vdm_pool *)h, &pool_statistics))           \
	X(heap_create, vdm_heap_create((vdm_domain *)h, NULL, &made_heap))                         \
	X(heap_destroy, vdm_heap_destroy((vdm_heap *)h))                                           \
	X(heap_take, vdm_heap_take((vdm_heap *)h, 64, 0, &block))                                  \
	X(heap_give, vdm_heap_give((vdm_heap *)h, block))                                          \
	X(heap_grow, vdm_heap_grow((vdm_heap *)h, 1))                                              \
	X(heap_trim, vdm_heap_trim((vdm_heap *)h, 0, &size))                                       \
	X(heap_get_statistics, vdm_heap_get_statistics((vdm_heap *)h, &heap_statistics))           \
	X(translator_create, vdm_translator_create((vdm_domain *)h, &made_translator))             \
	X(translator_destroy, vdm_translator_destroy((vdm_translator *)h))                         \
	X(translator_iova, vdm_translator_iova((vdm_translator *)h, page, 1, &number))             \
	X(translator_address, vdm_translator_address((vdm_translator *)h, 0, 1, &found))           \
	X(translator_segments,                                                                     \
	  vdm_translator_segments((vdm_translator *)h, page, 1, NULL, 0, &size))                   \
	X(translator_tables, vdm_translator_tables((vdm_translator *)h, &tables))                  \
	X(space_destroy, vdm_space_destroy((vdm_space *)h))                                        \
	X(space_allocate, vdm_space_allocate((vdm_space *)h, 4096, NULL, &range, &space_handle))   \
	X(space_free, vdm_space_free((vdm_space *)h, space_handle))                                \
	X(space_free_at, vdm_space_free_at((vdm_space *)h, 0))                                     \
	X(space_reserve, vdm_space_reserve((vdm_space *)h, range))                                 \
	X(space_cancel_reservation, vdm_space_cancel_reservation((vdm_space *)h, range))           \
	X(space_look_up, vdm_space_look_up((vdm_space *)h, 0, &entry))                             \
	X(space_get_statistics, vdm_space_get_statistics((vdm_space *)h, &space_statistics))       \
	X(simulator_destroy, vdm_simulator_destroy((vdm_simulator *)h))                            \
	X(simulator_open, vdm_simulator_open((vdm_simulator *)h, &made_device))                    \
	X(simulator_read, vdm_simulator_read((vdm_simulator *)h, 0, 0, &byte, 1))                  \
	X(simulator_write, vdm_simulator_write((vdm_simulator *)h, 0, 0, &byte, 1))                \
	X(simulator_get_faults, vdm_simulator_get_faults((vdm_simulator *)h, NULL, 0, &size))      \
	X(simulator_clear_faults, vdm_simulator_clear_faults((vdm_simulator *)h))                  \
	X(simulator_fail_next_write, vdm_simulator_fail_next_write((vdm_simulator *)h, 5))         \
	X(simulator_fail_next_update, vdm_simulator_fail_next_update((vdm_simulator *)h, 5))       \
	X(simulator_get_entry_count,                                                               \
	  vdm_simulator_get_entry_count((vdm_simulator *)h, 0, &size))                             \
	X(simulator_get_pinned_bytes, vdm_simulator_get_pinned_bytes((vdm_simulator *)h, &number))

static void *page;

/* Each call with this handle: `expected` says whose handle it is, so that those calls are left
 * out. */
static void refuses(void *h, const char *own)
{
	vdm_device_info device_info = {sizeof(device_info), {0, 0}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	vdm_region_info region_info;
	vdm_export exported;
	vdm_statistics statistics;
	vdm_budget budget;
	vdm_requirement requirement;
	vdm_space_statistics space_statistics;
	region_info.size = sizeof(region_info);
	exported.size = sizeof(exported);
	statistics.size = sizeof(statistics);
	budget.size = sizeof(budget);
	requirement.size = sizeof(requirement);
	space_statistics.size = sizeof(space_statistics);
	uint8_t byte = 0;
	uint32_t word = 0;
	uint64_t number = 0;
	size_t size = 0;
	int integer = 0;
	vdm_range range = {0, 4095};
	vdm_ring_addresses rings = {0, 0, 0};
	vdm_region region;
	vdm_operation operation;
	vdm_space_handle space_handle = {1, 1};
	vdm_space_entry entry;
	vdm_pool_statistics pool_statistics;
	vdm_heap_statistics heap_statistics;
	pool_statistics.size = sizeof(pool_statistics);
	heap_statistics.size = sizeof(heap_statistics);
	vdm_buffer buffer = {4096, 4096};
	vdm_block block = {page, 4096, 0};
	vdm_tables tables;
	vdm_pool *made_pool = NULL;
	vdm_heap *made_heap = NULL;
	vdm_translator *made_translator = NULL;
	char *json = NULL;
	void *found = NULL;
	vdm_domain *made_domain = NULL;
	vdm_device *made_device = NULL;
	memset(&region, 0, sizeof(region));
	memset(&operation, 0, sizeof(operation));
	operation.kind = VDM_OPERATION_ALLOCATE;
	operation.byte_count = 4096;
#define REFUSED(name, call)                                                                        \
	if (!own || strncmp(#name, own, strlen(own)) != 0) {                                       \
		int code = call;                                                                   \
		if (code != VDM_E_BAD_HANDLE)                                                      \
			printf("vdm_" #name " of %p answers %d\n", h, code);                       \
		CHECK(code == VDM_E_BAD_HANDLE);                                                   \
	}
	EACH_CALL(REFUSED)
	CHECK(made_domain == NULL && made_device == NULL && made_pool == NULL);
	CHECK(made_heap == NULL && made_translator == NULL && json == NULL && found == NULL);
}

static void null_arguments_are_told(vdm_device *device, vdm_domain *domain, vdm_space *space,
				    vdm_simulator *simulator)
{
	vdm_range range = {0, 4095};
	vdm_space_handle handle;
	CHECK(vdm_device_open(NULL, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_device_adopt(0, 0, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_device_get_info(device, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_device_get_status(device, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_device_get_features(device, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_device_get_config_size(device, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_device_get_config(device, 0, NULL, 1) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_device_set_config(device, 0, NULL, 1) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_queue_set_addresses(device, 0, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_queue_get_base(device, 0, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_queue_get_group(device, 0, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_queue_get_descriptor_group(device, 0, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_domain_create(device, 1, NULL, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_domain_get_range(domain, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_domain_needs_remap(domain, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_allocate(domain, 4096, NULL, NULL) == VDM_E_NULL_ARGUMENT);
	vdm_region region;
	CHECK(vdm_register(domain, NULL, 4096, NULL, &region) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_register(domain, page, 4096, NULL, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_batch(domain, NULL, 1) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_domain_get_statistics(domain, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_domain_get_budget(domain, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_domain_get_requirement(domain, 1, 1, NULL, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_space_create(range, 1, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_space_allocate(space, 1, NULL, NULL, &handle) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_space_allocate(space, 1, NULL, &range, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_space_look_up(space, 0, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_space_get_statistics(space, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_simulator_create(NULL, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_simulator_open(simulator, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_simulator_read(simulator, 0, 0, NULL, 1) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_simulator_write(simulator, 0, 0, NULL, 1) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_simulator_get_faults(simulator, NULL, 0, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_simulator_get_entry_count(simulator, 0, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_simulator_get_pinned_bytes(simulator, NULL) == VDM_E_NULL_ARGUMENT);
	CHECK(vdm_last_error(NULL) == VDM_E_NULL_ARGUMENT);
	vdm_string_free(NULL);
}

struct longer {
	vdm_region_options known;
	uint64_t unknown;
};

static void structures_of_other_sizes_are_understood_or_refused(vdm_domain *domain)
{
	struct longer options = {VDM_REGION_OPTIONS_INIT, 0};
	options.known.size = sizeof(options);
	vdm_region region;
	CHECK(vdm_allocate(domain, 4096, &options.known, &region) == VDM_OK);
	CHECK(vdm_free(domain, region.id, 0) == VDM_OK);
	options.unknown = 1;
	CHECK(vdm_allocate(domain, 4096, &options.known, &region) == VDM_E_INVALID_ARGUMENT);
	/* An older caller's, which ends after `access`. */
	vdm_region_options older = VDM_REGION_OPTIONS_INIT;
	older.size = offsetof(vdm_region_options, isolation);
	older.access = VDM_READ_ONLY;
	older.isolation = 77; /* not part of it */
	CHECK(vdm_allocate(domain, 4096, &older, &region) == VDM_OK);
	CHECK(region.access == VDM_READ_ONLY);
	CHECK(vdm_free(domain, region.id, 0) == VDM_OK);
	older.size = 0;
	CHECK(vdm_allocate(domain, 4096, &older, &region) == VDM_E_INVALID_ARGUMENT);
	vdm_statistics statistics;
	memset(&statistics, 0xee, sizeof(statistics));
	statistics.size = offsetof(vdm_statistics, extents);
	CHECK(vdm_domain_get_statistics(domain, &statistics) == VDM_OK);
	CHECK(statistics.regions == 0 && statistics.extents == 0xeeeeeeeeeeeeeeee);
	statistics.size = 3;
	CHECK(vdm_domain_get_statistics(domain, &statistics) == VDM_E_INVALID_ARGUMENT);
	vdm_region_options wild = VDM_REGION_OPTIONS_INIT;
	wild.flags = 0x80000000;
	CHECK(vdm_allocate(domain, 4096, &wild, &region) == VDM_E_INVALID_ARGUMENT);
	CHECK(vdm_allocate(domain, 0, NULL, &region) == VDM_E_INVALID_ARGUMENT);
	CHECK(vdm_allocate(domain, UINT64_MAX, NULL, &region) == VDM_E_INVALID_ARGUMENT);
	CHECK(vdm_free(domain, region.id, 0x100) == VDM_E_INVALID_ARGUMENT);
}

static void texts_are_there_for_every_code(void)
{
#define TEXT(name, number, text, help)                                                             \
	CHECK(VDM_E_##name == number && strcmp(vdm_strerror(number), text) == 0 &&                 \
	      strlen(vdm_remedy(number)) > 5);
	VDM_CODES(TEXT)
	CHECK(strcmp(vdm_strerror(12345), "unknown code") == 0);
}

int main(void)
{
	page = aligned_alloc(4096, 4096);
	vdm_simulator *simulator;
	vdm_device *device;
	vdm_domain *domain;
	vdm_space *space;
	vdm_range all = {0, UINT64_MAX};
	REQUIRE(vdm_simulator_create(NULL, &simulator) == VDM_OK);
	REQUIRE(vdm_simulator_open(simulator, &device) == VDM_OK);
	REQUIRE(vdm_domain_create(device, 0, NULL, &domain) == VDM_OK);
	REQUIRE(vdm_space_create(all, 100, &space) == VDM_OK);
	refuses(NULL, NULL);
	refuses((void *)0x1234, NULL);
	refuses((void *)UINTPTR_MAX, NULL);
	refuses(page, NULL);
	refuses(space, "space");
	refuses(simulator, "simulator");
	null_arguments_are_told(device, domain, space, simulator);
	structures_of_other_sizes_are_understood_or_refused(domain);
	texts_are_there_for_every_code();
	CHECK(vdm_device_open("/nowhere/at/all", &device) == VDM_E_DEVICE_UNAVAILABLE);
	CHECK(vdm_device_open("/dev/null", &device) != VDM_OK);
	vdm_device *none = NULL;
	CHECK(vdm_device_adopt(-1, 0, &none) == VDM_E_INVALID_ARGUMENT && none == NULL);
	CHECK(vdm_domain_close(domain) == VDM_OK);
	CHECK(vdm_space_destroy(space) == VDM_OK);
	CHECK(vdm_device_close(device) == VDM_OK);
	CHECK(vdm_simulator_destroy(simulator) == VDM_OK);
	/* Stale ones, and their slots in use again. */
	vdm_space *fresh;
	REQUIRE(vdm_space_create(all, 100, &fresh) == VDM_OK);
	refuses(domain, NULL);
	refuses(space, NULL);
	refuses(device, NULL);
	refuses(simulator, NULL);
	CHECK(vdm_space_destroy(fresh) == VDM_OK);
	free(page);
	return finish();
}
