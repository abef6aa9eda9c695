#define _GNU_SOURCE
#include "cbenchmark.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/vhost_types.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifndef MFD_HUGETLB
#define MFD_HUGETLB 0x0004U
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

#define HUGE_SHIFT_POSITION 26 /* MFD_HUGE_SHIFT */
/* A multiple of 1 GiB, as memory in pages of any size wants it, inside every device's range. */
#define RAW_IOVA (4ull << 30)
#define TRANSPARENT_ALIGNMENT ((size_t)2 << 20)

uint64_t cbench_monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void cbench_sleep_ns(uint64_t nanoseconds)
{
	struct timespec time = {(time_t)(nanoseconds / 1000000000u),
				(long)(nanoseconds % 1000000000u)};
	nanosleep(&time, NULL);
}

int cbench_pin_thread(unsigned int nth)
{
	cpu_set_t allowed, chosen;
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return -errno;
	nth %= (unsigned int)CPU_COUNT(&allowed);
	CPU_ZERO(&chosen);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &allowed) && nth-- == 0) {
			CPU_SET(cpu, &chosen);
			break;
		}
	}
	return sched_setaffinity(0, sizeof(chosen), &chosen) ? -errno : 0;
}

uint64_t cbench_process_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t cbench_thread_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void cbench_trim_heap(void)
{
	malloc_trim(0);
}

/* A 2 MiB-aligned mapping: MADV_COLLAPSE of a memfd needs address and offset congruent. */
static void *map_aligned(size_t byte_count, int descriptor)
{
	size_t reserved = byte_count + TRANSPARENT_ALIGNMENT;
	char *base = mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return MAP_FAILED;
	char *start = (char *)(((uintptr_t)base + TRANSPARENT_ALIGNMENT - 1) &
			       ~(uintptr_t)(TRANSPARENT_ALIGNMENT - 1));
	if (start > base)
		munmap(base, (size_t)(start - base));
	char *end = start + byte_count;
	if (end < base + reserved)
		munmap(end, (size_t)(base + reserved - end));
	void *mapping = mmap(start, byte_count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			     descriptor, 0);
	if (mapping == MAP_FAILED) {
		int error = errno;
		munmap(start, byte_count);
		errno = error;
	}
	return mapping;
}

int cbench_map(size_t byte_count, unsigned int huge_page_shift, void **mapping)
{
	unsigned int flags = MFD_CLOEXEC;
	if (huge_page_shift)
		flags |= MFD_HUGETLB | (huge_page_shift << HUGE_SHIFT_POSITION);
	int descriptor = memfd_create("vdpa-bench", flags);
	if (descriptor < 0)
		return -errno;
	void *address = MAP_FAILED;
	if (ftruncate(descriptor, (off_t)byte_count) == 0)
		address = huge_page_shift ? mmap(NULL, byte_count, PROT_READ | PROT_WRITE,
						 MAP_SHARED, descriptor, 0)
					  : map_aligned(byte_count, descriptor);
	int error = errno;
	close(descriptor);
	if (address == MAP_FAILED)
		return -error;
	*mapping = address;
	return 0;
}

int cbench_unmap(void *mapping, size_t byte_count)
{
	return munmap(mapping, byte_count) ? -errno : 0;
}

int cbench_populate(void *mapping, size_t byte_count)
{
	return madvise(mapping, byte_count, MADV_POPULATE_WRITE) ? -errno : 0;
}

int cbench_advise_huge(void *mapping, size_t byte_count)
{
	return madvise(mapping, byte_count, MADV_HUGEPAGE) ? -errno : 0;
}

int cbench_collapse(void *mapping, size_t byte_count)
{
	return madvise(mapping, byte_count, MADV_COLLAPSE) ? -errno : 0;
}

struct population {
	char *mapping;
	size_t byte_count, chunk;
	int collapse;
	atomic_size_t next;
	atomic_int result;
};

static void *populate_chunks(void *context)
{
	struct population *work = context;
	while (atomic_load(&work->result) == 0) {
		size_t offset = atomic_fetch_add(&work->next, work->chunk);
		if (offset >= work->byte_count)
			break;
		size_t size = work->byte_count - offset;
		if (size > work->chunk)
			size = work->chunk;
		int result = cbench_populate(work->mapping + offset, size);
		if (result == 0 && work->collapse)
			result = cbench_collapse(work->mapping + offset, size);
		int none = 0;
		if (result != 0)
			atomic_compare_exchange_strong(&work->result, &none, result);
	}
	return NULL;
}

int cbench_populate_on(int threads, void *mapping, size_t byte_count, size_t chunk, int collapse)
{
	struct population work = {
		.mapping = mapping, .byte_count = byte_count, .chunk = chunk, .collapse = collapse
	};
	pthread_t helpers[64];
	int started = 0;
	while (started < 63 && started + 1 < threads &&
	       pthread_create(&helpers[started], NULL, populate_chunks, &work) == 0)
		started++;
	populate_chunks(&work);
	while (started > 0)
		pthread_join(helpers[--started], NULL);
	return atomic_load(&work.result);
}

/* Opened anew, so reset, and without a mapping. */
static int take_device(const char *path)
{
	int device = open(path, O_RDWR | O_CLOEXEC);
	if (device < 0)
		return -errno;
	uint64_t features = 1ull << VHOST_BACKEND_F_IOTLB_MSG_V2;
	if (ioctl(device, VHOST_SET_OWNER) || ioctl(device, VHOST_SET_BACKEND_FEATURES, &features)) {
		int error = errno;
		close(device);
		return -error;
	}
	return device;
}

static int timed_write(int device, const struct vhost_msg_v2 *message, uint64_t *ticks)
{
	uint64_t start = cbench_ticks_begin();
	ssize_t count = write(device, message, sizeof(*message));
	*ticks = cbench_ticks_end() - start;
	if (count < 0)
		return -errno;
	return count == (ssize_t)sizeof(*message) ? 0 : -EIO;
}

int cbench_raw_update(const char *path, void *memory, size_t byte_count, uint64_t *map_ticks,
		      uint64_t *unmap_ticks)
{
	int device = take_device(path);
	if (device < 0)
		return device;
	struct vhost_msg_v2 message = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = { .iova = RAW_IOVA,
			   .size = byte_count,
			   .uaddr = (uintptr_t)memory,
			   .perm = VHOST_ACCESS_RW,
			   .type = VHOST_IOTLB_UPDATE },
	};
	int result = timed_write(device, &message, map_ticks);
	if (result == 0) {
		message.iotlb.type = VHOST_IOTLB_INVALIDATE;
		result = timed_write(device, &message, unmap_ticks);
	}
	close(device);
	return result;
}
