/* The first steps from C, on a simulated device: replace the two lines that make it by
 * vdm_device_open("/dev/vhost-vdpa-0", &device) for a real one.
 *
 *	cc first_steps.c $(pkg-config --cflags --libs vdpa-memory) */
#include <vdpa_memory.h>

#include <stdio.h>
#include <stdlib.h>

static void require(int code)
{
	if (code == VDM_OK)
		return;
	fprintf(stderr, "%s: %s\n", vdm_strerror(code), vdm_last_message());
	exit(1);
}

int main(void)
{
	vdm_simulator *simulator;
	vdm_device *device;
	require(vdm_simulator_create(NULL, &simulator));
	require(vdm_simulator_open(simulator, &device));

	vdm_domain *domain;
	vdm_region region;
	require(vdm_domain_create(device, 0, NULL, &domain));
	require(vdm_allocate(domain, 4 << 20, NULL, &region));
	printf("%llu bytes at %p, which the device finds at 0x%llx\n",
	       (unsigned long long)region.byte_count, region.address,
	       (unsigned long long)region.iova);

	/* A pool takes the region over: its buffers cost nanoseconds and no call of the kernel. */
	vdm_pool *pool;
	require(vdm_pool_create(domain, region.id, 2048, NULL, &pool));
	cdp_pool *fast = vdm_pool_datapath(pool);
	vdm_buffer buffer = vdm_take(fast);
	require(vdm_simulator_write(simulator, 0, buffer.iova, "hello", 6));
	printf("the device wrote: %s\n", (char *)(uintptr_t)buffer.address);
	vdm_give(fast, buffer);

	require(vdm_pool_destroy(pool));
	require(vdm_domain_close(domain));
	require(vdm_device_close(device));
	require(vdm_simulator_destroy(simulator));
	return 0;
}
