#ifndef CNUMA_SHIM_H
#define CNUMA_SHIM_H

// The edge to libnuma and to the memory calls of the kernel. Every function answers with a value
// of at least 0 or with -errno: errno is read here, before any Swift code can run in between.
// Addresses travel as integers, because to these calls an address is a value that is looked up,
// not memory that is read; the functions that write through a pointer say so.
//
// Nothing here relies on _GNU_SOURCE, which Swift's importer does not define: calls and constants
// that need it go through syscall(2) or are defined below.

#include <errno.h>
#include <fcntl.h>
#include <numa.h>
#include <numaif.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// MARK: constants (uapi/linux/memfd.h, uapi/asm-generic/mman-common.h, uapi/linux/fcntl.h)

#define CNUMA_MFD_CLOEXEC 0x0001u
#define CNUMA_MFD_ALLOW_SEALING 0x0002u
#define CNUMA_MFD_HUGETLB 0x0004u
#define CNUMA_MFD_HUGE_2MB (21u << 26)
#define CNUMA_MFD_HUGE_1GB (30u << 26)

#define CNUMA_MADV_DONTFORK 10
#define CNUMA_MADV_HUGEPAGE 14
#define CNUMA_MADV_NOHUGEPAGE 15
#define CNUMA_MADV_DONTDUMP 16
#define CNUMA_MADV_WIPEONFORK 18
#define CNUMA_MADV_POPULATE_READ 22
#define CNUMA_MADV_POPULATE_WRITE 23
#define CNUMA_MADV_COLLAPSE 25

#define CNUMA_F_ADD_SEALS 1033
#define CNUMA_F_GET_SEALS 1034
#define CNUMA_SEALS_OF_SIZE 0x0007  // F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW
#define CNUMA_F_DUPFD_CLOEXEC 1030

/// The most pages that one `cnuma_query_nodes` looks up.
#define CNUMA_QUERY_PAGES 1024

// MARK: files

/// memfd_create(2). Reads `name`.
static inline int cnuma_memfd_create(const char *name, unsigned flags) {
  long result = syscall(SYS_memfd_create, name, flags);
  return result < 0 ? -errno : (int)result;
}

/// ftruncate(2).
static inline int cnuma_truncate(int fd, uint64_t size) {
  return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

/// fcntl(2): nobody can change the file's size, nor its seals, from now on.
static inline int cnuma_seal_size(int fd) {
  if (fcntl(fd, CNUMA_F_ADD_SEALS, CNUMA_SEALS_OF_SIZE) == 0) return 0;
  int error = errno;
  // EPERM is the answer for what is sealed already, too.
  int seals = fcntl(fd, CNUMA_F_GET_SEALS);
  return seals >= 0 && (seals & CNUMA_SEALS_OF_SIZE) == CNUMA_SEALS_OF_SIZE ? 0 : -error;
}

/// fcntl(2): another descriptor of the same file, close-on-exec, above the standard ones.
static inline int cnuma_duplicate(int fd) {
  int result = fcntl(fd, CNUMA_F_DUPFD_CLOEXEC, 3);
  return result < 0 ? -errno : result;
}

/// close(2). The descriptor is gone whatever the result (close(2), NOTES).
static inline int cnuma_close(int fd) { return close(fd) < 0 ? -errno : 0; }

/// open(2) for reading, close-on-exec. Reads `path`.
static inline int cnuma_open_for_reading(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

/// read(2), restarted after EINTR. Writes at most `size` bytes to `buffer`.
static inline long cnuma_read(int fd, void *buffer, size_t size) {
  ssize_t count;
  do count = read(fd, buffer, size);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : (long)count;
}

/// An area of the process's address space.
struct cnuma_area {
  uint64_t first;
  /// The first address behind it.
  uint64_t end;
  /// Of the kernel's pages in it: what smaps calls KernelPageSize.
  uint64_t page_size;
};

/// The area that holds `address`, by PROCMAP_QUERY on an open /proc/PID/maps (uapi/linux/fs.h,
/// Linux 6.11). ENOTTY before that, ENOENT where there is no area. Writes `area`.
static inline int cnuma_query_area(int fd, uint64_t address, struct cnuma_area *area) {
  // struct procmap_query, without a name or a build ID.
  struct {
    uint64_t size, flags, address, start, end, vma_flags, page_size, offset, inode;
    uint32_t dev_major, dev_minor, name_size, build_id_size;
    uint64_t name, build_id;
  } query = {.size = sizeof query, .address = address};
  if (ioctl(fd, _IOWR('f', 17, query), &query) < 0) return -errno;
  area->first = query.start;
  area->end = query.end;
  area->page_size = query.page_size;
  return 0;
}

/// How many bytes of [first, end) page-table entries of 2 MiB map, by PAGEMAP_SCAN on an open
/// /proc/PID/pagemap (uapi/linux/fs.h, Linux 6.7). ENOTTY before that. Writes `bytes`.
static inline int cnuma_huge_bytes(int fd, uint64_t first, uint64_t end, uint64_t *bytes) {
  const uint64_t is_huge = 1 << 6;  // PAGE_IS_HUGE
  // Set, because no checker of memory knows that the kernel writes to it.
  struct {
    uint64_t first, end, categories;
  } found[16] = {{0, 0, 0}};
  // struct pm_scan_arg.
  struct {
    uint64_t size, flags, start, end, walk_end, found, found_count, most_pages;
    uint64_t inverted, wanted, any_of, returned;
  } scan = {.size = sizeof scan, .start = first, .end = end, .found = (uintptr_t)found,
            .found_count = 16, .wanted = is_huge, .returned = is_huge};

  *bytes = 0;
  while (scan.start < end) {
    int count = ioctl(fd, _IOWR('f', 16, scan), &scan);

    if (count < 0) return -errno;
    for (int i = 0; i < count; i++) *bytes += found[i].end - found[i].first;
    scan.start = scan.walk_end;
  }
  return 0;
}

// MARK: mappings

/// mmap(2): a shared, writable mapping of a whole file, with its pages reserved (no
/// MAP_NORESERVE). At `address` exactly, replacing what is there, unless that is 0.
static inline int64_t cnuma_map_shared(int fd, uint64_t size, uintptr_t address) {
  int flags = MAP_SHARED | (address ? MAP_FIXED : 0);
  void *result = mmap((void *)address, size, PROT_READ | PROT_WRITE, flags, fd, 0);
  return result == MAP_FAILED ? -errno : (int64_t)(uintptr_t)result;
}

/// mmap(2): address space only, without memory behind it.
static inline int64_t cnuma_reserve(uint64_t size) {
  void *result = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return result == MAP_FAILED ? -errno : (int64_t)(uintptr_t)result;
}

/// mmap(2): private memory that reads as zeros.
static inline int64_t cnuma_map_private(uint64_t size) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  void *result = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
  return result == MAP_FAILED ? -errno : (int64_t)(uintptr_t)result;
}

/// munmap(2).
static inline int cnuma_unmap(uintptr_t address, uint64_t size) {
  return munmap((void *)address, size) < 0 ? -errno : 0;
}

/// madvise(2).
static inline int cnuma_advise(uintptr_t address, uint64_t size, int advice) {
  return madvise((void *)address, size, advice) < 0 ? -errno : 0;
}

// MARK: nodes

/// mbind(2) through libnuma. Reads `bits` bits at `nodes`; the kernel looks at one bit less than
/// it is told.
static inline int cnuma_bind(uintptr_t address, uint64_t size, int mode,
                             const unsigned long *nodes, unsigned bits) {
  return mbind((void *)address, size, mode, nodes, bits + 1ul, 0) < 0 ? -errno : 0;
}

/// move_pages(2) as a query: writes the node (or -errno) of each of `count` pages, at most
/// CNUMA_QUERY_PAGES, that lie `stride` bytes apart.
static inline int cnuma_query_nodes(uintptr_t address, uint64_t stride, size_t count, int *nodes) {
  void *pages[CNUMA_QUERY_PAGES];
  if (count > CNUMA_QUERY_PAGES) return -E2BIG;
  for (size_t i = 0; i < count; i++) pages[i] = (void *)(address + i * stride);
  return move_pages(0, count, pages, NULL, nodes, 0) < 0 ? -errno : 0;
}

/// getcpu(2): the node of the processor that runs the calling thread.
static inline int cnuma_current_node(void) {
  unsigned processor = 0, node = 0;
  return syscall(SYS_getcpu, &processor, &node, NULL) < 0 ? -errno : (int)node;
}

// MARK: processors

/// sched_getaffinity(2): how many processors the calling thread may use.
static inline int cnuma_processor_count(void) {
  unsigned long mask[1024] = {0};
  long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
  if (bytes < 0) return -errno;
  int count = 0;
  for (size_t i = 0; i < (size_t)bytes / sizeof mask[0]; i++) count += __builtin_popcountl(mask[i]);
  return count;
}

// MARK: limits

/// getrlimit(2) of RLIMIT_MEMLOCK, in bytes. Writes both values.
static inline int cnuma_memlock_limit(uint64_t *soft, uint64_t *hard) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0) return -errno;
  *soft = limit.rlim_cur;
  *hard = limit.rlim_max;
  return 0;
}

/// setrlimit(2) of RLIMIT_MEMLOCK, in bytes.
static inline int cnuma_set_memlock_limit(uint64_t soft, uint64_t hard) {
  struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
  return setrlimit(RLIMIT_MEMLOCK, &limit) < 0 ? -errno : 0;
}

#endif
