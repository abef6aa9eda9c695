#define _GNU_SOURCE
#include "ctestsupport.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LATE = 255, REFUSED = 254 };

/// Waits for a value in shared memory.
static int arrives(volatile uint8_t *place, uint8_t value)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	for (int i = 0; i < 20000; i++) {
		if (__atomic_load_n(place, __ATOMIC_ACQUIRE) == value)
			return 1;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static void put(volatile uint8_t *place, uint8_t value)
{
	__atomic_store_n(place, value, __ATOMIC_RELEASE);
}

static int child(int fd, uint64_t offset, uint64_t mappable, uint64_t last)
{
	volatile uint8_t *memory =
		mmap(NULL, mappable, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	if (memory == MAP_FAILED)
		return errno < REFUSED ? errno : REFUSED;
	for (int i = 0; i < 2; i++) {
		volatile uint8_t *place = memory + (i ? last : 0);
		if (!arrives(place, (uint8_t)(0x10 + i)))
			return LATE;
		put(place, (uint8_t)(0x20 + i));
		if (!arrives(place, (uint8_t)(0x30 + i)))
			return LATE;
	}
	return 0;
}

static int status_of(pid_t process)
{
	int status = 0;
	while (waitpid(process, &status, 0) < 0)
		if (errno != EINTR)
			return LATE;
	return WIFEXITED(status) ? WEXITSTATUS(status) : LATE;
}

int ctest_exchange(int fd, uint64_t offset, uint64_t mappable, uint64_t last,
		   volatile uint8_t *memory)
{
	pid_t process = fork();
	if (process < 0)
		return errno;
	if (process == 0)
		_exit(child(fd, offset, mappable, last));
	int in_time = 1;
	for (int i = 0; i < 2 && in_time; i++) {
		volatile uint8_t *place = memory + (i ? last : 0);
		put(place, (uint8_t)(0x10 + i));
		// A child that was refused is gone: do not wait for it.
		for (int turn = 0; turn < 20 && in_time; turn++) {
			siginfo_t gone = { 0 };
			if (waitid(P_PID, (id_t)process, &gone, WEXITED | WNOHANG | WNOWAIT) == 0 &&
			    gone.si_pid == process)
				in_time = 0;
			struct timespec pause = { .tv_nsec = 1000000 };
			nanosleep(&pause, NULL);
			if (__atomic_load_n(place, __ATOMIC_ACQUIRE) == 0x20 + i)
				break;
		}
		in_time = in_time && arrives(place, (uint8_t)(0x20 + i));
		put(place, (uint8_t)(0x30 + i));
	}
	int status = status_of(process);
	return status == LATE || (status == 0 && !in_time) ? -1 : status;
}

int ctest_child_reads(const volatile uint8_t *address)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid_t process = fork();
	if (process < 0)
		return -errno;
	if (process == 0) {
		// The kernel answers EFAULT where reading would be SIGSEGV.
		long count = write(ends[1], (const void *)address, 1);
		_exit(count == 1 ? 1 : errno == EFAULT ? 0 : 2);
	}
	close(ends[0]);
	close(ends[1]);
	int status = status_of(process);
	return status <= 1 ? status : -EIO;
}

int ctest_memfd(uint64_t byte_count)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)byte_count) < 0)
		return -errno;
	return fd;
}

volatile uint8_t *ctest_map(int fd, uint64_t byte_count)
{
	void *memory = mmap(NULL, byte_count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

void ctest_unmap(volatile uint8_t *memory, uint64_t byte_count)
{
	munmap((void *)memory, byte_count);
}

int ctest_closes_on_exec(int fd)
{
	return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

int ctest_truncate(int fd, uint64_t byte_count)
{
	return ftruncate(fd, (off_t)byte_count) < 0 ? -errno : 0;
}

int ctest_fork(unsigned int seconds)
{
	pid_t process = fork();
	if (process == 0)
		alarm(seconds);
	return process < 0 ? -errno : process;
}

int ctest_wait(int process)
{
	int status = 0;
	while (waitpid(process, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

int ctest_child_runs(int (*body)(void))
{
	pid_t child = fork();
	if (child == 0) {
		alarm(20);
		_exit(body());
	}
	int status = 0;
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 1000;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int ctest_limit_address_space(uint64_t more)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	int found = file ? fscanf(file, "%lu", &pages) : 0;
	if (file)
		fclose(file);
	if (found != 1)
		return -EIO;
	rlim_t bytes = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + more;
	struct rlimit limit = { bytes, bytes };
	return setrlimit(RLIMIT_AS, &limit) ? -errno : 0;
}

enum { SECTOR_WORDS = 64 };

static uint64_t word_of(uint64_t sector, uint32_t version, uint64_t seed)
{
	uint64_t mixed = seed ^ sector * 0x9e3779b97f4a7c15u ^ (uint64_t)version << 32;
	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
	return mixed ^ mixed >> 27;
}

static void fill_sector(uint64_t *words, uint64_t sector, uint32_t version, uint64_t seed)
{
	uint64_t word = word_of(sector, version, seed);
	words[0] = sector;
	words[1] = version;
	for (int i = 2; i < SECTOR_WORDS; i++)
		words[i] = word += 0x9e3779b97f4a7c15u;
}

void ctest_fill_sectors(void *memory, uint64_t first, uint64_t count, const uint32_t *versions,
			uint64_t seed)
{
	uint64_t *words = memory;
	for (uint64_t i = 0; i < count; i++)
		fill_sector(words + SECTOR_WORDS * i, first + i, versions[i], seed);
}

uint64_t ctest_check_sectors(const void *memory, uint64_t first, uint64_t count,
			     const uint32_t *versions, uint64_t seed)
{
	const uint64_t *words = memory;
	for (uint64_t i = 0; i < count; i++, words += SECTOR_WORDS) {
		uint64_t word = word_of(first + i, versions[i], seed);
		if (words[0] != first + i || words[1] != versions[i])
			return i;
		for (int j = 2; j < SECTOR_WORDS; j++)
			if (words[j] != (word += 0x9e3779b97f4a7c15u))
				return i;
	}
	return count;
}

int ctest_child_fills(int fd, uint64_t offset, uint64_t byte_count, uint64_t first,
		      uint32_t version, uint64_t seed)
{
	pid_t process = fork();
	if (process < 0)
		return errno;
	if (process == 0) {
		uint64_t *words = mmap(NULL, byte_count, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				       (off_t)offset);
		if (words == MAP_FAILED)
			_exit(errno < REFUSED ? errno : REFUSED);
		for (uint64_t i = 0; i < byte_count / 512; i++)
			fill_sector(words + SECTOR_WORDS * i, first + i, version, seed);
		_exit(0);
	}
	return status_of(process);
}
