/* rte_mempool on the workloads of the suite `pool`: one JSON line a case.
 *
 *     rte-pool [--quick]
 *
 * 16384 objects of 2 KiB, a cache of 64 a thread as in the library's default, objects handed over
 * as pointers. Two threads on the first two processors that the process may use. Without hugepages.
 * */
#define _GNU_SOURCE
#include "cbenchmark.h"

#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_mempool.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFERS = 16384, SIZE = 2048, CACHE = 64, OUTSTANDING = 1024, PER_BLOCK = 16384 };

static struct rte_mempool *pool;
static unsigned int blocks = 100;
static double ns_per_tick;

static void die(const char *what)
{
	fprintf(stderr, "rte-pool: %s\n", what);
	exit(1);
}

struct worker {
	unsigned int thread, burst;
	int use; /* 0 lifo, 1 ring, 2 cross */
	void *space[OUTSTANDING];
	unsigned int oldest;
	uint64_t sum;
	uint64_t *starts, *ends;
};

static void lifo(struct worker *worker)
{
	unsigned int burst = worker->burst;
	for (unsigned int step = 0; step < PER_BLOCK / burst; step++) {
		if (rte_mempool_get_bulk(pool, worker->space, burst))
			die("a burst is free");
		worker->sum += (uintptr_t)worker->space[burst - 1];
		rte_mempool_put_bulk(pool, worker->space, burst);
	}
}

static void ring(struct worker *worker)
{
	unsigned int burst = worker->burst;
	for (unsigned int step = 0; step < PER_BLOCK / burst; step++) {
		void **at = worker->space + worker->oldest;
		rte_mempool_put_bulk(pool, at, burst);
		if (rte_mempool_get_bulk(pool, at, burst))
			die("a burst is free");
		worker->sum += (uintptr_t)at[burst - 1];
		worker->oldest = (worker->oldest + burst) % OUTSTANDING;
	}
}

/* As cbench_ring, of pointers. */
static struct {
	_Alignas(128) uint64_t written;
	uint64_t known_read;
	_Alignas(128) uint64_t read;
	uint64_t known_written;
	_Alignas(128) void *slots[OUTSTANDING];
} hand_off;

static void rest(void)
{
	for (int i = 0; i < 16; i++)
		cbench_pause();
}

static void send(struct worker *worker)
{
	unsigned int burst = worker->burst;
	for (unsigned int step = 0; step < PER_BLOCK / burst; step++) {
		while (rte_mempool_get_bulk(pool, worker->space, burst))
			rest();
		uint64_t at = hand_off.written;
		while (at + burst - hand_off.known_read > OUTSTANDING) {
			hand_off.known_read = __atomic_load_n(&hand_off.read, __ATOMIC_ACQUIRE);
			if (at + burst - hand_off.known_read > OUTSTANDING)
				rest();
		}
		for (unsigned int i = 0; i < burst; i++)
			hand_off.slots[(at + i) % OUTSTANDING] = worker->space[i];
		__atomic_store_n(&hand_off.written, at + burst, __ATOMIC_RELEASE);
	}
}

static void receive(struct worker *worker)
{
	unsigned int burst = worker->burst;
	for (unsigned int step = 0; step < PER_BLOCK / burst; step++) {
		uint64_t at = hand_off.read;
		while (hand_off.known_written - at < burst) {
			hand_off.known_written =
				__atomic_load_n(&hand_off.written, __ATOMIC_ACQUIRE);
			if (hand_off.known_written - at < burst)
				rest();
		}
		for (unsigned int i = 0; i < burst; i++)
			worker->space[i] = hand_off.slots[(at + i) % OUTSTANDING];
		__atomic_store_n(&hand_off.read, at + burst, __ATOMIC_RELEASE);
		worker->sum += (uintptr_t)worker->space[burst - 1];
		rte_mempool_put_bulk(pool, worker->space, burst);
	}
}

static unsigned int arrived, crowd;

static void *work(void *context)
{
	struct worker *worker = context;
	cbench_pin_thread(worker->thread);
	if (rte_thread_register())
		die("no lcore for a thread");
	if (worker->use == 1 && rte_mempool_get_bulk(pool, worker->space, OUTSTANDING))
		die("what is outstanding is free");
	for (unsigned int block = 0; block < blocks; block++) {
		__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL);
		while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < crowd * (block + 1))
			cbench_pause();
		worker->starts[block] = cbench_ticks_begin();
		if (worker->use == 0)
			lifo(worker);
		else if (worker->use == 1)
			ring(worker);
		else if (worker->thread == 0)
			send(worker);
		else
			receive(worker);
		worker->ends[block] = cbench_ticks_end();
	}
	if (worker->use == 1)
		rte_mempool_put_bulk(pool, worker->space, OUTSTANDING);
	rte_thread_unregister();
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void measure(const char *name, int use, unsigned int burst, unsigned int threads)
{
	pthread_t handles[2];
	struct worker *workers[2];
	arrived = 0;
	crowd = threads;
	for (unsigned int i = 0; i < threads; i++) {
		workers[i] = calloc(1, sizeof(struct worker));
		workers[i]->thread = i;
		workers[i]->burst = burst;
		workers[i]->use = use;
		workers[i]->starts = calloc(blocks, sizeof(uint64_t));
		workers[i]->ends = calloc(blocks, sizeof(uint64_t));
		if (pthread_create(&handles[i], NULL, work, workers[i]))
			die("no thread");
	}
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(handles[i], NULL);
	uint64_t *ticks = calloc(blocks, sizeof(uint64_t));
	for (unsigned int block = 0; block < blocks; block++) {
		uint64_t start = UINT64_MAX, end = 0;
		for (unsigned int i = 0; i < threads; i++) {
			if (workers[i]->starts[block] < start)
				start = workers[i]->starts[block];
			if (workers[i]->ends[block] > end)
				end = workers[i]->ends[block];
		}
		ticks[block] = end - start;
	}
	qsort(ticks, blocks, sizeof(uint64_t), by_value);
	double per = ns_per_tick / PER_BLOCK / (use == 2 ? 1 : threads);
	printf("{\"case\": \"%s-%u\", \"median_ns\": %.4f, \"best_ns\": %.4f}\n", name, burst,
	       (double)ticks[blocks / 2] * per, (double)ticks[0] * per);
	fflush(stdout);
	if (rte_mempool_avail_count(pool) != BUFFERS)
		die("an object is lost");
	free(ticks);
	for (unsigned int i = 0; i < threads; i++) {
		free(workers[i]->starts);
		free(workers[i]->ends);
		free(workers[i]);
	}
}

int main(int count, char **arguments)
{
	char *eal[] = { arguments[0], "--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
			"--log-level=error", "--no-shconf", "-l", "0" };
	if (count > 1 && strcmp(arguments[1], "--quick") == 0)
		blocks = 20;
	/* The library binds this thread, and with it those that it makes: as before afterwards. */
	cpu_set_t allowed;
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		die("no affinity");
	if (rte_eal_init(sizeof(eal) / sizeof(*eal), eal) < 0)
		die("rte_eal_init failed");
	if (sched_setaffinity(0, sizeof(allowed), &allowed))
		die("no affinity");
	uint64_t start_ns = cbench_monotonic_ns(), start = cbench_ticks_begin();
	while (cbench_monotonic_ns() - start_ns < 50000000)
		;
	ns_per_tick = (double)(cbench_monotonic_ns() - start_ns) /
		      (double)(cbench_ticks_end() - start);
	pool = rte_mempool_create("pool", BUFFERS, SIZE, CACHE, 0, NULL, NULL, NULL, NULL,
				  SOCKET_ID_ANY, 0);
	if (!pool)
		die("no pool");
	static const unsigned int bursts[] = { 1, 8, 32 };
	for (int i = 0; i < 3; i++) {
		measure("lifo", 0, bursts[i], 1);
		measure("ring", 1, bursts[i], 1);
	}
	for (int i = 0; i < 3; i++) {
		measure("2T-lifo", 0, bursts[i], 2);
		measure("2T-ring", 1, bursts[i], 2);
	}
	for (int i = 0; i < 3; i++)
		measure("cross", 2, bursts[i], 2);
	return 0;
}
