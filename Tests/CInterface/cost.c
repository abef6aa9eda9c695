/* What a call costs over the same inline: nanoseconds, for `make test-c` to show; judges
 * nothing, since neighbours and other processors move it. */
#include "check.h"

#include <time.h>

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

enum { STEPS = 20000000 };

/* Into `best`: the least of several runs, since the others say what the neighbours did. */
#define MEASURE(best, name, step)                                                                  \
	do {                                                                                       \
		best = 1e9;                                                                        \
		for (int run = 0; run < 5; run++) {                                                \
			double start = now();                                                      \
			for (uint64_t i = 0; i < STEPS; i++) {                                     \
				step;                                                              \
			}                                                                          \
			double each = (now() - start) / STEPS;                                     \
			if (each < best)                                                           \
				best = each;                                                       \
		}                                                                                  \
		printf("%-28s %6.2f ns\n", name, best);                                            \
	} while (0)

static void tell(const char *what, double more)
{
	printf("%s: %s over the inline, the goal is less than 3: %.2f ns\n",
	       more < 3 ? "met" : "MISSED", what, more);
}

int main(void)
{
	vdm_simulator *simulator;
	vdm_device *device;
	vdm_domain *domain;
	vdm_pool *pool;
	vdm_translator *translator;
	vdm_region region, data;
	REQUIRE(vdm_simulator_create(NULL, &simulator) == VDM_OK);
	REQUIRE(vdm_simulator_open(simulator, &device) == VDM_OK);
	REQUIRE(vdm_domain_create(device, 0, NULL, &domain) == VDM_OK);
	REQUIRE(vdm_allocate(domain, 4 << 20, NULL, &region) == VDM_OK);
	REQUIRE(vdm_allocate(domain, 4 << 20, NULL, &data) == VDM_OK);
	REQUIRE(vdm_pool_create(domain, region.id, 2048, NULL, &pool) == VDM_OK);
	REQUIRE(vdm_translator_create(domain, &translator) == VDM_OK);
	cdp_pool *fast = vdm_pool_datapath(pool);
	vdm_tables tables;
	REQUIRE(vdm_translator_tables(translator, &tables) == VDM_OK);
	vdm_buffer buffer;
	double inlined, called;
	uint64_t sum = 0, iova = 0;
	const char *first = (const char *)data.address;
	MEASURE(inlined, "take and give, inline", buffer = vdm_take(fast); sum += buffer.iova;
		vdm_give(fast, buffer));
	MEASURE(called, "take and give, by calls", vdm_pool_take(pool, &buffer);
		sum += buffer.iova; vdm_pool_give(pool, buffer));
	tell("a call of the pool", (called - inlined) / 2);
	MEASURE(inlined, "IOVA of an address, inline",
		sum += vdm_iova_of(&tables, first + (i & 0xfffc0), 64, &iova) ? iova : 1);
	MEASURE(called, "IOVA of an address, by call",
		sum += vdm_translator_iova(translator, first + (i & 0xfffc0), 64, &iova) == 0 ? iova : 1);
	tell("a call of the translator", called - inlined);
	CHECK(sum != 0);
	CHECK(vdm_translator_destroy(translator) == VDM_OK);
	CHECK(vdm_pool_destroy(pool) == VDM_OK);
	CHECK(vdm_domain_close(domain) == VDM_OK);
	CHECK(vdm_device_close(device) == VDM_OK);
	CHECK(vdm_simulator_destroy(simulator) == VDM_OK);
	return finish();
}
