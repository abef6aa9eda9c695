#ifndef CTESTSUPPORT_H
#define CTESTSUPPORT_H

#include <stdint.h>

// What only another process can prove. The children are made by fork(2) in a process with threads,
// so they call nothing but the kernel, and leave by _exit(2).

/// A child maps `mappable` bytes of `fd` from `offset` on, shared, and exchanges values with this
/// process in both directions, in the bytes 0 and `last` of the region: this process writes, the
/// child answers what it saw plus 1, this process acknowledges.
///
/// `memory` is this process's own mapping of the region. Returns 0; a positive errno that the
/// child's mmap answered; or -1 where a value did not arrive within 20 s.
int ctest_exchange(int fd, uint64_t offset, uint64_t mappable, uint64_t last,
		   volatile uint8_t *memory);

/// Whether a child made by fork(2) has a readable byte at `address`: 1 or 0; -errno where that
/// could not be found out.
int ctest_child_reads(const volatile uint8_t *address);

/// A memfd of `byte_count` bytes; -errno where it is refused.
int ctest_memfd(uint64_t byte_count);

/// Maps `byte_count` bytes of `fd`, shared, in this process. NULL where that is refused.
volatile uint8_t *ctest_map(int fd, uint64_t byte_count);
void ctest_unmap(volatile uint8_t *memory, uint64_t byte_count);

/// Whether `fd` is close-on-exec: 1 or 0.
int ctest_closes_on_exec(int fd);

/// ftruncate(2): 0 or -errno.
int ctest_truncate(int fd, uint64_t byte_count);

/// fork(2): 0 in the child, which SIGALRM ends after so many seconds; in this process the child's
/// number, or -errno.
int ctest_fork(unsigned int seconds);

/// Waits for a child: its exit status; 256 plus the signal that ended it; -errno.
int ctest_wait(int process);
/// Runs `body` in a child made by fork(2) and returns what it answers, below 256; 1000 and more
//where
/// it ended otherwise, after 20 s for one.
int ctest_child_runs(int (*body)(void));

/// Lets the process map `more` bytes and no more than that: 0 or -errno.
int ctest_limit_address_space(uint64_t more);
/// What a disk's sector of 512 bytes holds: its number, its version, and words that depend on both
//and on
/// the seed. Fills `count` sectors from number `first` on, each in its own version.
void ctest_fill_sectors(void *memory, uint64_t first, uint64_t count, const uint32_t *versions,
			uint64_t seed);

/// How many sectors are as `ctest_fill_sectors` makes them, up to the first one that is not.
uint64_t ctest_check_sectors(const void *memory, uint64_t first, uint64_t count,
			     const uint32_t *versions, uint64_t seed);

/// A child made by fork(2) maps `byte_count` bytes of `fd` and fills them as sectors from number
//`first` on,
/// all in one version. 0, or an errno.
int ctest_child_fills(int fd, uint64_t offset, uint64_t byte_count, uint64_t first,
		      uint32_t version, uint64_t seed);

#endif
