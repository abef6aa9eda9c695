/* The main job, from C: a device, a domain, memory of the library's and of the caller's, a batch,
 * and a device that reads and writes it. */
#include "check.h"

#include <string.h>
#include <sys/mman.h>

static vdm_simulator *simulator;
static vdm_device *device;
static vdm_domain *domain;

static void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static void a_device_writes_where_a_region_lives_and_nowhere_else(void)
{
	vdm_region region;
	char bytes[5] = "", word[] = "hello";
	size_t faults = 99;
	REQUIRE(vdm_allocate(domain, 4 << 20, NULL, &region) == VDM_OK);
	CHECK(region.byte_count == 4 << 20 && region.access == VDM_READ_WRITE);
	CHECK(((char *)region.address)[12345] == 0);
	CHECK(vdm_simulator_write(simulator, 0, region.iova + 100, word, 5) == VDM_OK);
	CHECK(memcmp((char *)region.address + 100, "hello", 5) == 0);
	CHECK(vdm_simulator_read(simulator, 0, region.iova + 100, bytes, 5) == VDM_OK);
	CHECK(memcmp(bytes, word, 5) == 0);
	CHECK(vdm_simulator_get_faults(simulator, NULL, 0, &faults) == VDM_OK && faults == 0);

	CHECK(vdm_free(domain, region.id, 0) == VDM_OK);
	CHECK(vdm_simulator_write(simulator, 0, region.iova, word, 5) == VDM_E_NOT_MAPPED);
	vdm_fault fault;
	CHECK(vdm_simulator_get_faults(simulator, &fault, 1, &faults) == VDM_OK && faults == 1);
	CHECK(fault.iova == region.iova && fault.is_write == 1);
	CHECK(vdm_simulator_clear_faults(simulator) == VDM_OK);
	CHECK(vdm_free(domain, region.id, 0) == VDM_E_NO_SUCH_REGION);
}

static void memory_of_the_caller_is_mapped_where_he_says(void)
{
	char *memory = (char *)shared_memory(1 << 20);
	REQUIRE(memory != NULL);
	vdm_region_options options = VDM_REGION_OPTIONS_INIT;
	options.place = VDM_PLACE_FIXED;
	options.place_first = 0x40000000;
	options.access = VDM_READ_ONLY;
	vdm_region region;
	REQUIRE(vdm_register(domain, memory, 1 << 20, &options, &region) == VDM_OK);
	CHECK(region.iova == 0x40000000 && region.address == memory);
	CHECK(vdm_simulator_write(simulator, 0, region.iova, "x", 1) == VDM_E_NOT_MAPPED);
	CHECK(vdm_register(domain, memory, 1 << 20, &options, &region) == VDM_E_OVERLAP);
	vdm_error_detail detail;
	detail.size = sizeof(detail);
	CHECK(vdm_last_error(&detail) == VDM_OK && detail.code == VDM_E_OVERLAP);
	CHECK(detail.flags & VDM_DETAIL_RANGE && detail.range.first == 0x40000000);
	CHECK(strlen(detail.message) > 10 && strlen(detail.remedy) > 10);
	vdm_region_info info;
	info.size = sizeof(info);
	CHECK(vdm_region_get_info(domain, region.id, &info) == VDM_OK);
	CHECK(info.region.iova == 0x40000000 && info.page_byte_count == 0);
	CHECK(vdm_free(domain, region.id, 0) == VDM_OK);
	munmap(memory, 1 << 20);
}

static void a_batch_does_all_or_nothing(void)
{
	char *memory = (char *)shared_memory(8 << 12);
	REQUIRE(memory != NULL);
	vdm_region_options options[4];
	vdm_operation operations[4];
	memset(operations, 0, sizeof(operations));
	size_t before = 0, after = 0;
	CHECK(vdm_simulator_get_entry_count(simulator, 0, &before) == VDM_OK);
	for (int i = 0; i < 4; i++) {
		vdm_region_options at = VDM_REGION_OPTIONS_INIT;
		at.place = VDM_PLACE_FIXED;
		at.place_first = 0x50000000 + (uint64_t)i * 0x10000;
		options[i] = at;
		operations[i].kind = VDM_OPERATION_REGISTER;
		operations[i].address = memory + (i << 12);
		operations[i].byte_count = 4096;
		operations[i].options = &options[i];
	}
	/* The third one meets the second: nothing happens. */
	options[2].place_first = options[1].place_first;
	CHECK(vdm_batch(domain, operations, 4) == VDM_E_OVERLAP);
	vdm_error_detail detail;
	detail.size = sizeof(detail);
	CHECK(vdm_last_error(&detail) == VDM_OK);
	CHECK(detail.flags & VDM_DETAIL_OPERATION && detail.operation == 2);
	CHECK(vdm_simulator_get_entry_count(simulator, 0, &after) == VDM_OK && after == before);

	/* The kernel refuses the message: nothing has happened either. */
	options[2].place_first = 0x50020000;
	CHECK(vdm_simulator_fail_next_update(simulator, 14) == VDM_OK);
	CHECK(vdm_batch(domain, operations, 4) == VDM_E_KERNEL_REFUSED);
	CHECK(vdm_last_error(&detail) == VDM_OK && detail.system_errno == 14);
	CHECK(vdm_simulator_get_entry_count(simulator, 0, &after) == VDM_OK && after == before);

	CHECK(vdm_batch(domain, operations, 4) == VDM_OK);
	CHECK(operations[3].region.iova == 0x50030000);
	CHECK(vdm_simulator_get_entry_count(simulator, 0, &after) == VDM_OK && after == before + 4);
	for (int i = 0; i < 4; i++)
		operations[i].kind = VDM_OPERATION_FREE;
	CHECK(vdm_batch(domain, operations, 4) == VDM_OK);
	CHECK(vdm_simulator_get_entry_count(simulator, 0, &after) == VDM_OK && after == before);
	CHECK(vdm_batch(domain, NULL, 0) == VDM_OK);
	munmap(memory, 8 << 12);
}

static int events[16];

static void observe(void *context, const vdm_event *event)
{
	if (context == &events && event->size >= sizeof(*event) && event->kind < 16)
		events[event->kind]++;
}

static void deferred_unmapping_waits_for_a_flush_and_the_observer_hears_it(void)
{
	vdm_domain_options options = VDM_DOMAIN_OPTIONS_INIT;
	vdm_range reserved = {0x100000, 0x1fffff};
	options.flags = VDM_DOMAIN_DEFERRED_UNMAPPING;
	options.region_capacity = 100;
	options.reserved = &reserved;
	options.reserved_count = 1;
	options.observer = observe;
	options.observer_context = &events;
	vdm_domain *second;
	REQUIRE(vdm_domain_create(device, 1, &options, &second) == VDM_OK);
	vdm_region region;
	CHECK(vdm_allocate(second, 2 << 20, NULL, &region) == VDM_OK);
	CHECK(vdm_free(second, region.id, 0) == VDM_OK);
	vdm_statistics statistics;
	statistics.size = sizeof(statistics);
	CHECK(vdm_domain_get_statistics(second, &statistics) == VDM_OK);
	CHECK(statistics.quarantined_extents == 1 && statistics.regions == 0);
	CHECK(vdm_flush(second) == VDM_OK);
	CHECK(vdm_domain_get_statistics(second, &statistics) == VDM_OK);
	CHECK(statistics.quarantined_extents == 0 && statistics.invalidate_messages == 1);
	CHECK(events[VDM_EVENT_MAPPED] == 1 && events[VDM_EVENT_UNMAPPED] == 1);
	CHECK(events[VDM_EVENT_FLUSHED] == 1);
	vdm_budget budget;
	budget.size = sizeof(budget);
	CHECK(vdm_domain_get_budget(second, &budget) == VDM_OK);
	CHECK(budget.entry_limit == 2048 && budget.region_capacity == 100);
	vdm_requirement requirement;
	requirement.size = sizeof(requirement);
	CHECK(vdm_domain_get_requirement(second, 101, 4096, NULL, &requirement) == VDM_OK);
	CHECK(requirement.shortage == VDM_E_REGION_CAPACITY);
	CHECK(vdm_domain_close(second) == VDM_OK);
}

static void the_device_is_controlled(void)
{
	vdm_device_info info;
	info.size = sizeof(info);
	REQUIRE(vdm_device_get_info(device, &info) == VDM_OK);
	CHECK(info.device_id == 1 && info.queue_count == 3 && info.address_space_count == 2);
	CHECK(info.iova_range.first == 0 && info.iova_range.last == UINT64_MAX);
	uint8_t status = 9;
	CHECK(vdm_device_reset(device) == VDM_OK);
	CHECK(vdm_device_get_status(device, &status) == VDM_OK && status == 0);
	uint64_t features = 0;
	CHECK(vdm_device_get_features(device, &features) == VDM_OK && features >> 32 & 1);
	CHECK(vdm_device_set_features(device, 3ULL << 32) == VDM_OK);
	CHECK(vdm_remap(domain) == VDM_OK);
	CHECK(vdm_queue_set_size(device, 0, 256) == VDM_OK);
	CHECK(vdm_queue_set_size(device, 0, 3) == VDM_E_INVALID_ARGUMENT);
	vdm_ring_addresses nowhere = {0x7000000, 0x7001000, 0x7002000};
	CHECK(vdm_queue_set_addresses(device, 0, &nowhere) == VDM_E_UNSAFE_CONTROL);
	vdm_region ring;
	REQUIRE(vdm_allocate(domain, 16384, NULL, &ring) == VDM_OK);
	vdm_ring_addresses here = {ring.iova, ring.iova + 4096, ring.iova + 8192};
	CHECK(vdm_queue_set_addresses(device, 0, &here) == VDM_OK);
	CHECK(vdm_queue_set_enabled(device, 0, 1) == VDM_OK);
	CHECK(vdm_free(domain, ring.id, 0) == VDM_E_UNSAFE_CONTROL);
	CHECK(vdm_free(domain, ring.id, VDM_FREE_FORCE) == VDM_OK);
	size_t size = 0;
	uint8_t config[24];
	CHECK(vdm_device_get_config_size(device, &size) == VDM_OK && size == 24);
	CHECK(vdm_device_get_config(device, 0, config, sizeof(config)) == VDM_OK);
	CHECK(config[6] == 1);
	CHECK(vdm_device_get_config(device, 20, config, 5) == VDM_E_INVALID_ARGUMENT);
	CHECK(vdm_device_set_log_base(device, 0) == VDM_E_NOT_SUPPORTED);
	uint32_t group = 9;
	CHECK(vdm_queue_get_group(device, 2, &group) == VDM_OK && group == 1);
	CHECK(vdm_device_reset(device) == VDM_OK);
	CHECK(vdm_remap(domain) == VDM_OK);
}

static void a_second_device_takes_the_same_layout(void)
{
	vdm_simulator *other;
	vdm_device *second;
	REQUIRE(vdm_simulator_create(NULL, &other) == VDM_OK);
	REQUIRE(vdm_simulator_open(other, &second) == VDM_OK);
	vdm_region region;
	CHECK(vdm_allocate(domain, 2 << 20, NULL, &region) == VDM_OK);
	CHECK(vdm_attach(domain, second, 0) == VDM_OK);
	CHECK(vdm_simulator_write(other, 0, region.iova, "b", 1) == VDM_OK);
	CHECK(*(char *)region.address == 'b');
	CHECK(vdm_detach(domain, second, 0, 0) == VDM_OK);
	CHECK(vdm_simulator_write(other, 0, region.iova, "c", 1) == VDM_E_NOT_MAPPED);
	CHECK(vdm_free(domain, region.id, 0) == VDM_OK);
	CHECK(vdm_device_close(second) == VDM_OK);
	CHECK(vdm_simulator_destroy(other) == VDM_OK);
}

int main(void)
{
	REQUIRE(vdm_version() == VDM_VERSION);
	REQUIRE(vdm_simulator_create(NULL, &simulator) == VDM_OK);
	REQUIRE(vdm_simulator_open(simulator, &device) == VDM_OK);
	REQUIRE(vdm_domain_create(device, 0, NULL, &domain) == VDM_OK);
	a_device_writes_where_a_region_lives_and_nowhere_else();
	memory_of_the_caller_is_mapped_where_he_says();
	a_batch_does_all_or_nothing();
	deferred_unmapping_waits_for_a_flush_and_the_observer_hears_it();
	the_device_is_controlled();
	a_second_device_takes_the_same_layout();
	uint64_t pinned = 1;
	CHECK(vdm_domain_close(domain) == VDM_OK);
	CHECK(vdm_simulator_get_pinned_bytes(simulator, &pinned) == VDM_OK && pinned == 0);
	CHECK(vdm_device_close(device) == VDM_OK);
	CHECK(vdm_simulator_destroy(simulator) == VDM_OK);
	return finish();
}
