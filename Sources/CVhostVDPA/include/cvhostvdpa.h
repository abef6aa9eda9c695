// The kernel's vhost-vdpa interface as plain integers and structs.
//
// Why this file exists: Swift does not import request macros that use sizeof, struct vhost_msg_v2
// has an anonymous union, and Debian 12's headers (6.1) stop before what came with 6.3 to 6.9.
// Source: include/uapi/linux/vhost.h, vhost_types.h, virtio_ids.h, virtio_config.h.
//
// Every number is written out, so that it can be compared with the kernel's documentation by eye,
// and asserted against the kernel's own macro where the installed headers have it.

#ifndef CVHOSTVDPA_H
#define CVHOSTVDPA_H

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/vhost.h>
#include <linux/vhost_types.h>

// MARK: ioctl request numbers

#define CVHOST_GET_FEATURES 0x8008af00u
#define CVHOST_SET_FEATURES 0x4008af00u
#define CVHOST_SET_OWNER 0x0000af01u
#define CVHOST_RESET_OWNER 0x0000af02u
#define CVHOST_SET_MEM_TABLE 0x4008af03u
#define CVHOST_SET_LOG_BASE 0x4008af04u
#define CVHOST_SET_LOG_FD 0x4004af07u
#define CVHOST_SET_VRING_NUM 0x4008af10u
#define CVHOST_SET_VRING_ADDR 0x4028af11u
#define CVHOST_SET_VRING_BASE 0x4008af12u
#define CVHOST_GET_VRING_BASE 0xc008af12u
#define CVHOST_SET_VRING_KICK 0x4008af20u
#define CVHOST_SET_VRING_CALL 0x4008af21u
#define CVHOST_SET_VRING_ERR 0x4008af22u
#define CVHOST_SET_VRING_BUSYLOOP_TIMEOUT 0x4008af23u
#define CVHOST_GET_VRING_BUSYLOOP_TIMEOUT 0x4008af24u
#define CVHOST_SET_BACKEND_FEATURES 0x4008af25u
#define CVHOST_GET_BACKEND_FEATURES 0x8008af26u
#define CVHOST_VDPA_GET_DEVICE_ID 0x8004af70u
#define CVHOST_VDPA_GET_STATUS 0x8001af71u
#define CVHOST_VDPA_SET_STATUS 0x4001af72u
#define CVHOST_VDPA_GET_CONFIG 0x8008af73u
#define CVHOST_VDPA_SET_CONFIG 0x4008af74u
#define CVHOST_VDPA_SET_VRING_ENABLE 0x4008af75u
#define CVHOST_VDPA_GET_VRING_NUM 0x8002af76u
#define CVHOST_VDPA_SET_CONFIG_CALL 0x4004af77u
#define CVHOST_VDPA_GET_IOVA_RANGE 0x8010af78u
#define CVHOST_VDPA_GET_CONFIG_SIZE 0x8004af79u
#define CVHOST_VDPA_GET_AS_NUM 0x8004af7au
#define CVHOST_VDPA_GET_VRING_GROUP 0xc008af7bu
#define CVHOST_VDPA_SET_GROUP_ASID 0x4008af7cu
#define CVHOST_VDPA_SUSPEND 0x0000af7du
#define CVHOST_VDPA_RESUME 0x0000af7eu
#define CVHOST_VDPA_GET_VRING_DESC_GROUP 0xc008af7fu
#define CVHOST_VDPA_GET_VQS_COUNT 0x8004af80u
#define CVHOST_VDPA_GET_GROUP_NUM 0x8004af81u
#define CVHOST_VDPA_GET_VRING_SIZE 0xc008af82u

// MARK: backend feature bit numbers (a feature's value is 1 << bit)

#define CVHOST_BACKEND_F_IOTLB_MSG_V2 1
#define CVHOST_BACKEND_F_IOTLB_BATCH 2
#define CVHOST_BACKEND_F_IOTLB_ASID 3
#define CVHOST_BACKEND_F_SUSPEND 4
#define CVHOST_BACKEND_F_RESUME 5
#define CVHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK 6
#define CVHOST_BACKEND_F_DESC_ASID 7
#define CVHOST_BACKEND_F_IOTLB_PERSIST 8

// MARK: IOTLB message

#define CVHOST_MSG_V1 1u
#define CVHOST_MSG_V2 2u
#define CVHOST_ACCESS_RO 1u
#define CVHOST_ACCESS_WO 2u
#define CVHOST_ACCESS_RW 3u
#define CVHOST_IOTLB_MISS 1u
#define CVHOST_IOTLB_UPDATE 2u
#define CVHOST_IOTLB_INVALIDATE 3u
#define CVHOST_IOTLB_ACCESS_FAIL 4u
#define CVHOST_IOTLB_BATCH_BEGIN 5u
#define CVHOST_IOTLB_BATCH_END 6u

// MARK: the numbers above are the kernel's

#define CVHOST_SAME(ours, kernels) _Static_assert((ours) == (kernels), #kernels " differs")
CVHOST_SAME(CVHOST_GET_FEATURES, VHOST_GET_FEATURES);
CVHOST_SAME(CVHOST_SET_FEATURES, VHOST_SET_FEATURES);
CVHOST_SAME(CVHOST_SET_OWNER, VHOST_SET_OWNER);
CVHOST_SAME(CVHOST_RESET_OWNER, VHOST_RESET_OWNER);
CVHOST_SAME(CVHOST_SET_MEM_TABLE, VHOST_SET_MEM_TABLE);
CVHOST_SAME(CVHOST_SET_LOG_BASE, VHOST_SET_LOG_BASE);
CVHOST_SAME(CVHOST_SET_LOG_FD, VHOST_SET_LOG_FD);
CVHOST_SAME(CVHOST_SET_VRING_NUM, VHOST_SET_VRING_NUM);
CVHOST_SAME(CVHOST_SET_VRING_ADDR, VHOST_SET_VRING_ADDR);
CVHOST_SAME(CVHOST_SET_VRING_BASE, VHOST_SET_VRING_BASE);
CVHOST_SAME(CVHOST_GET_VRING_BASE, VHOST_GET_VRING_BASE);
CVHOST_SAME(CVHOST_SET_VRING_KICK, VHOST_SET_VRING_KICK);
CVHOST_SAME(CVHOST_SET_VRING_CALL, VHOST_SET_VRING_CALL);
CVHOST_SAME(CVHOST_SET_VRING_ERR, VHOST_SET_VRING_ERR);
CVHOST_SAME(CVHOST_SET_VRING_BUSYLOOP_TIMEOUT, VHOST_SET_VRING_BUSYLOOP_TIMEOUT);
CVHOST_SAME(CVHOST_GET_VRING_BUSYLOOP_TIMEOUT, VHOST_GET_VRING_BUSYLOOP_TIMEOUT);
CVHOST_SAME(CVHOST_SET_BACKEND_FEATURES, VHOST_SET_BACKEND_FEATURES);
CVHOST_SAME(CVHOST_GET_BACKEND_FEATURES, VHOST_GET_BACKEND_FEATURES);
CVHOST_SAME(CVHOST_VDPA_GET_DEVICE_ID, VHOST_VDPA_GET_DEVICE_ID);
CVHOST_SAME(CVHOST_VDPA_GET_STATUS, VHOST_VDPA_GET_STATUS);
CVHOST_SAME(CVHOST_VDPA_SET_STATUS, VHOST_VDPA_SET_STATUS);
CVHOST_SAME(CVHOST_VDPA_GET_CONFIG, VHOST_VDPA_GET_CONFIG);
CVHOST_SAME(CVHOST_VDPA_SET_CONFIG, VHOST_VDPA_SET_CONFIG);
CVHOST_SAME(CVHOST_VDPA_SET_VRING_ENABLE, VHOST_VDPA_SET_VRING_ENABLE);
CVHOST_SAME(CVHOST_VDPA_GET_VRING_NUM, VHOST_VDPA_GET_VRING_NUM);
CVHOST_SAME(CVHOST_VDPA_SET_CONFIG_CALL, VHOST_VDPA_SET_CONFIG_CALL);
CVHOST_SAME(CVHOST_VDPA_GET_IOVA_RANGE, VHOST_VDPA_GET_IOVA_RANGE);
CVHOST_SAME(CVHOST_VDPA_GET_CONFIG_SIZE, VHOST_VDPA_GET_CONFIG_SIZE);
CVHOST_SAME(CVHOST_VDPA_GET_AS_NUM, VHOST_VDPA_GET_AS_NUM);
CVHOST_SAME(CVHOST_VDPA_GET_VRING_GROUP, VHOST_VDPA_GET_VRING_GROUP);
CVHOST_SAME(CVHOST_VDPA_SET_GROUP_ASID, VHOST_VDPA_SET_GROUP_ASID);
CVHOST_SAME(CVHOST_VDPA_SUSPEND, VHOST_VDPA_SUSPEND);
CVHOST_SAME(CVHOST_VDPA_GET_VQS_COUNT, VHOST_VDPA_GET_VQS_COUNT);
CVHOST_SAME(CVHOST_VDPA_GET_GROUP_NUM, VHOST_VDPA_GET_GROUP_NUM);
CVHOST_SAME(CVHOST_BACKEND_F_IOTLB_MSG_V2, VHOST_BACKEND_F_IOTLB_MSG_V2);
CVHOST_SAME(CVHOST_BACKEND_F_IOTLB_BATCH, VHOST_BACKEND_F_IOTLB_BATCH);
CVHOST_SAME(CVHOST_BACKEND_F_IOTLB_ASID, VHOST_BACKEND_F_IOTLB_ASID);
CVHOST_SAME(CVHOST_BACKEND_F_SUSPEND, VHOST_BACKEND_F_SUSPEND);
CVHOST_SAME(CVHOST_MSG_V1, VHOST_IOTLB_MSG);
CVHOST_SAME(CVHOST_MSG_V2, VHOST_IOTLB_MSG_V2);
CVHOST_SAME(CVHOST_ACCESS_RO, VHOST_ACCESS_RO);
CVHOST_SAME(CVHOST_ACCESS_WO, VHOST_ACCESS_WO);
CVHOST_SAME(CVHOST_ACCESS_RW, VHOST_ACCESS_RW);
CVHOST_SAME(CVHOST_IOTLB_MISS, VHOST_IOTLB_MISS);
CVHOST_SAME(CVHOST_IOTLB_ACCESS_FAIL, VHOST_IOTLB_ACCESS_FAIL);
CVHOST_SAME(CVHOST_IOTLB_UPDATE, VHOST_IOTLB_UPDATE);
CVHOST_SAME(CVHOST_IOTLB_INVALIDATE, VHOST_IOTLB_INVALIDATE);
CVHOST_SAME(CVHOST_IOTLB_BATCH_BEGIN, VHOST_IOTLB_BATCH_BEGIN);
CVHOST_SAME(CVHOST_IOTLB_BATCH_END, VHOST_IOTLB_BATCH_END);
// Newer than Debian 12's headers: asserted where the installed ones have them. GET_VRING_SIZE was
// 0x80 in one interim header, so a kernel that answers ENOTTY does not have it.
#ifdef VHOST_VDPA_RESUME
CVHOST_SAME(CVHOST_VDPA_RESUME, VHOST_VDPA_RESUME);
#endif
#ifdef VHOST_VDPA_GET_VRING_DESC_GROUP
CVHOST_SAME(CVHOST_VDPA_GET_VRING_DESC_GROUP, VHOST_VDPA_GET_VRING_DESC_GROUP);
#endif
#ifdef VHOST_VDPA_GET_VRING_SIZE
CVHOST_SAME(CVHOST_VDPA_GET_VRING_SIZE, VHOST_VDPA_GET_VRING_SIZE);
#endif
#ifdef VHOST_BACKEND_F_RESUME
CVHOST_SAME(CVHOST_BACKEND_F_RESUME, VHOST_BACKEND_F_RESUME);
#endif
#ifdef VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK
CVHOST_SAME(CVHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK, VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK);
#endif
#ifdef VHOST_BACKEND_F_DESC_ASID
CVHOST_SAME(CVHOST_BACKEND_F_DESC_ASID, VHOST_BACKEND_F_DESC_ASID);
#endif
#ifdef VHOST_BACKEND_F_IOTLB_PERSIST
CVHOST_SAME(CVHOST_BACKEND_F_IOTLB_PERSIST, VHOST_BACKEND_F_IOTLB_PERSIST);
#endif
#undef CVHOST_SAME

// And whatever the installed headers have: the numbers are what asm-generic/ioctl.h makes of their
// parts, and the bits what the interface says.
_Static_assert(CVHOST_VDPA_RESUME == _IO(VHOST_VIRTIO, 0x7E), "");
_Static_assert(CVHOST_VDPA_GET_VRING_DESC_GROUP ==
                   _IOWR(VHOST_VIRTIO, 0x7F, struct vhost_vring_state),
               "");
_Static_assert(CVHOST_VDPA_GET_VRING_SIZE ==
                   _IOWR(VHOST_VIRTIO, 0x82, struct vhost_vring_state),
               "");
_Static_assert(CVHOST_BACKEND_F_RESUME == 5, "");
_Static_assert(CVHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK == 6, "");
_Static_assert(CVHOST_BACKEND_F_DESC_ASID == 7, "");
_Static_assert(CVHOST_BACKEND_F_IOTLB_PERSIST == 8, "");

_Static_assert(sizeof(struct vhost_iotlb_msg) == 32, "");
_Static_assert(offsetof(struct vhost_iotlb_msg, iova) == 0, "");
_Static_assert(offsetof(struct vhost_iotlb_msg, size) == 8, "");
_Static_assert(offsetof(struct vhost_iotlb_msg, uaddr) == 16, "");
_Static_assert(offsetof(struct vhost_iotlb_msg, perm) == 24, "");
_Static_assert(offsetof(struct vhost_iotlb_msg, type) == 25, "");
_Static_assert(sizeof(struct vhost_msg) == 72, "");
_Static_assert(offsetof(struct vhost_msg, type) == 0, "");
_Static_assert(offsetof(struct vhost_msg, iotlb) == 8, "V1 has a hole of 4 bytes after its type");
_Static_assert(sizeof(struct vhost_msg_v2) == 72, "");
_Static_assert(offsetof(struct vhost_msg_v2, type) == 0, "");
_Static_assert(offsetof(struct vhost_msg_v2, asid) == 4, "");
_Static_assert(offsetof(struct vhost_msg_v2, iotlb) == 8, "");
_Static_assert(sizeof(struct vhost_vring_state) == 8, "");
_Static_assert(offsetof(struct vhost_vring_state, index) == 0, "");
_Static_assert(offsetof(struct vhost_vring_state, num) == 4, "");
_Static_assert(sizeof(struct vhost_vring_file) == 8, "");
_Static_assert(offsetof(struct vhost_vring_file, index) == 0, "");
_Static_assert(offsetof(struct vhost_vring_file, fd) == 4, "");
_Static_assert(sizeof(struct vhost_vring_addr) == 40, "");
_Static_assert(offsetof(struct vhost_vring_addr, index) == 0, "");
_Static_assert(offsetof(struct vhost_vring_addr, flags) == 4, "");
_Static_assert(offsetof(struct vhost_vring_addr, desc_user_addr) == 8, "");
_Static_assert(offsetof(struct vhost_vring_addr, used_user_addr) == 16, "used before avail");
_Static_assert(offsetof(struct vhost_vring_addr, avail_user_addr) == 24, "");
_Static_assert(offsetof(struct vhost_vring_addr, log_guest_addr) == 32, "");
_Static_assert(sizeof(struct vhost_vdpa_config) == 8, "");
_Static_assert(offsetof(struct vhost_vdpa_config, off) == 0, "");
_Static_assert(offsetof(struct vhost_vdpa_config, len) == 4, "");
_Static_assert(offsetof(struct vhost_vdpa_config, buf) == 8, "");
_Static_assert(sizeof(struct vhost_vdpa_iova_range) == 16, "");
_Static_assert(offsetof(struct vhost_vdpa_iova_range, first) == 0, "");
_Static_assert(offsetof(struct vhost_vdpa_iova_range, last) == 8, "both inclusive");
_Static_assert(sizeof(struct vhost_memory_region) == 32, "");
_Static_assert(offsetof(struct vhost_memory_region, guest_phys_addr) == 0, "");
_Static_assert(offsetof(struct vhost_memory_region, memory_size) == 8, "");
_Static_assert(offsetof(struct vhost_memory_region, userspace_addr) == 16, "");
_Static_assert(sizeof(struct vhost_memory) == 8, "");
_Static_assert(offsetof(struct vhost_memory, nregions) == 0, "");
_Static_assert(offsetof(struct vhost_memory, regions) == 8, "");

// MARK: what Swift cannot express

/// Fills a version 2 message. Every byte that has no meaning is zero.
static inline struct vhost_msg_v2 cvhost_message_v2(uint32_t asid, uint8_t type, uint64_t iova,
                                                    uint64_t size, uint64_t address,
                                                    uint8_t permission) {
  struct vhost_msg_v2 message;
  memset(&message, 0, sizeof message);
  message.type = CVHOST_MSG_V2;
  message.asid = asid;
  message.iotlb.iova = iova;
  message.iotlb.size = size;
  message.iotlb.uaddr = address;
  message.iotlb.perm = permission;
  message.iotlb.type = type;
  return message;
}

// The errno-returning shims: the value of a successful call, or -errno. errno is read here, before
// any Swift code can run between the call and the look.

/// ioctl(2) with a pointer argument (NULL for requests that take none).
static inline int cvhost_ioctl(int fd, uint32_t request, void *argument) {
  int result = ioctl(fd, (unsigned long)request, argument);
  return result < 0 ? -errno : result;
}

/// write(2) of one IOTLB message; not restarted after EINTR, which a caller may repeat safely
/// because the kernel handles a message before it returns.
static inline long cvhost_write(int fd, const void *bytes, size_t count) {
  ssize_t result = write(fd, bytes, count);
  return result < 0 ? -errno : (long)result;
}

/// open(2) read-write and close-on-exec.
static inline int cvhost_open(const char *path) {
  int result = open(path, O_RDWR | O_CLOEXEC);
  return result < 0 ? -errno : result;
}

/// fcntl(F_DUPFD_CLOEXEC): a second descriptor of the same open file.
static inline int cvhost_duplicate(int fd) {
  int result = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return result < 0 ? -errno : result;
}

/// Sets FD_CLOEXEC on a descriptor that was opened by somebody else.
static inline int cvhost_set_cloexec(int fd) {
  int flags = fcntl(fd, F_GETFD);
  if (flags < 0) return -errno;
  return fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0 ? -errno : 0;
}

/// close(2). The descriptor is gone whatever the result (close(2), NOTES).
static inline int cvhost_close(int fd) { return close(fd) < 0 ? -errno : 0; }

#endif
