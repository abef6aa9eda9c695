#ifndef CVIRTIODRIVER_H
#define CVIRTIODRIVER_H

#include <stdint.h>

/* What the driver of a virtqueue needs and Swift does not offer: a descriptor's layout, ordered
 * access to plain memory that a device shares, and event descriptors. */

/* struct virtq_desc (virtio specification 1.2, section 2.7.5), little-endian. */
struct cvd_descriptor {
	uint64_t address;
	uint32_t byte_count;
	uint16_t flags;
	uint16_t next;
};

/* What the device has written before the value is seen after it. */
static inline uint16_t cvd_load_acquire(const void *place)
{
	return __atomic_load_n((const uint16_t *)place, __ATOMIC_ACQUIRE);
}

/* What this process has written before is seen by who sees the value. */
static inline void cvd_store_release(void *place, uint16_t value)
{
	__atomic_store_n((uint16_t *)place, value, __ATOMIC_RELEASE);
}

/* A store before it is seen before a load after it is made: between publishing and looking whether
 * the other side sleeps. */
static inline void cvd_full_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* A non-blocking eventfd(2), close-on-exec; -errno. */
int cvd_event(void);

/* Adds 1 to an eventfd: 0 or -errno. */
int cvd_signal(int event);

/* Sets an eventfd back to 0: 1 where it was signalled, else 0. */
int cvd_clear(int event);

/* Waits until an eventfd is signalled, without clearing it: 1; 0 after `milliseconds`; -errno. */
int cvd_wait(int event, int milliseconds);

/* CLOCK_MONOTONIC. */
uint64_t cvd_nanoseconds(void);

#endif
