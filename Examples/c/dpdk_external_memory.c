/* DPDK on this library's memory: a region is exported, mapped, and given to DPDK as external
 * memory, so that its mempools lie where the vDPA device reaches them.
 *
 *	cc dpdk_external_memory.c $(pkg-config --cflags --libs vdpa-memory libdpdk)
 *
 * Runs on the simulated device: no hardware, no hugepages. */
#include <vdpa_memory.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_memory.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s: %s; %s\n", what, vdm_last_message(), rte_strerror(rte_errno));
	exit(1);
}

int main(int argc, char **argv)
{
	char *defaults[] = {argv[0], "--no-huge", "-m", "64", "--no-pci", "--no-telemetry",
			    "--log-level=4", "--iova-mode=va", "--no-shconf", NULL};
	require(rte_eal_init(argc > 1 ? argc : 9, argc > 1 ? argv : defaults) >= 0, "rte_eal_init");

	vdm_simulator *simulator;
	vdm_device *device;
	vdm_domain *domain;
	vdm_region region;
	vdm_region_options options = VDM_REGION_OPTIONS_INIT;
	options.isolation = VDM_ISOLATION_DEDICATED;
	/* DPDK in VA mode tells devices the process's addresses: so the IOVAs have to be those. */
	options.place = VDM_PLACE_IDENTITY;
	options.tag = "dpdk";
	require(!vdm_simulator_create(NULL, &simulator), "a device");
	require(!vdm_simulator_open(simulator, &device), "opening it");
	require(!vdm_domain_create(device, 0, NULL, &domain), "a domain");
	require(!vdm_allocate(domain, 8 << 20, &options, &region), "memory");
	require(region.iova == (uint64_t)(uintptr_t)region.address, "identity");

	vdm_region_info info;
	info.size = sizeof(info);
	require(!vdm_region_get_info(domain, region.id, &info), "what backs it");
	size_t page = info.page_byte_count, pages = region.byte_count / page;
	rte_iova_t *iovas = calloc(pages, sizeof(*iovas));
	require(iovas != NULL, "memory for a table");
	for (size_t i = 0; i < pages; i++)
		iovas[i] = region.iova + i * page;
	require(!rte_extmem_register(region.address, region.byte_count, iovas, pages, page),
		"rte_extmem_register");
	free(iovas);

	struct rte_mempool *packets =
		rte_mempool_create_empty("packets", 1024, 2048, 0, 0, SOCKET_ID_ANY, 0);
	require(packets != NULL, "rte_mempool_create_empty");
	require(rte_mempool_populate_virt(packets, region.address, region.byte_count, page, NULL,
					  NULL) > 0,
		"rte_mempool_populate_virt");
	void *object;
	require(!rte_mempool_get(packets, &object), "rte_mempool_get");
	require(!vdm_simulator_write(simulator, 0, rte_mempool_virt2iova(object), "dpdk", 4),
		"the device's write");
	require(!memcmp(object, "dpdk", 4), "what DPDK sees");
	printf("%u of DPDK's packets lie in the device's reach, one of them at %p\n",
	       packets->populated_size, object);

	rte_mempool_put(packets, object);
	rte_mempool_free(packets);
	require(!rte_extmem_unregister(region.address, region.byte_count), "rte_extmem_unregister");
	require(!vdm_free(domain, region.id, 0), "freeing");
	require(!vdm_domain_close(domain) && !vdm_device_close(device), "closing");
	rte_eal_cleanup();
	return 0;
}
