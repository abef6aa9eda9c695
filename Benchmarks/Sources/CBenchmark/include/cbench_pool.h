#ifndef CBENCH_POOL_H
#define CBENCH_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What pools of buffers are held against, and the ring that hands buffers from thread to thread. */

/* An element of a DMABufferPool. */
struct cbench_buffer {
	uint64_t address, iova;
};

/* The limit: an array of elements and a count, one thread's alone. */
struct cbench_array {
	uint64_t count;
	struct cbench_buffer *elements;
};

/* Takes `burst` elements and gives the same ones back, `steps` times. `space` holds a burst.
 * Returns a sum over the last element of each burst. */
uint64_t cbench_array_lifo(struct cbench_array *array, uint64_t steps, uint64_t burst,
			   struct cbench_buffer *space);

/* Gives the `burst` oldest of `outstanding` (a power of two) elements and takes as many. `space`
 * holds them; `*oldest` is where the oldest lies. */
uint64_t cbench_array_ring(struct cbench_array *array, uint64_t steps, uint64_t burst,
			   struct cbench_buffer *space, uint64_t outstanding, uint64_t *oldest);

/* A ring from one producer to one consumer. Each keeps what he knows of the other on lines of his
 * own, and looks again when it is not enough. */
#define CBENCH_RING_SLOTS 1024u

struct cbench_ring {
	uint64_t written, known_read, unused[14];
	uint64_t read, known_written, unused_too[14];
	struct cbench_buffer slots[CBENCH_RING_SLOTS];
};

/* Whether there is room for as many. */
static inline bool cbench_ring_has_room(struct cbench_ring *ring, uint64_t count)
{
	uint64_t end = ring->written + count;
	if (end - ring->known_read <= CBENCH_RING_SLOTS)
		return true;
	ring->known_read = __atomic_load_n(&ring->read, __ATOMIC_ACQUIRE);
	return end - ring->known_read <= CBENCH_RING_SLOTS;
}

/* Whether as many are there. */
static inline bool cbench_ring_has(struct cbench_ring *ring, uint64_t count)
{
	uint64_t at = ring->read;
	if (ring->known_written - at >= count)
		return true;
	ring->known_written = __atomic_load_n(&ring->written, __ATOMIC_ACQUIRE);
	return ring->known_written - at >= count;
}

/* One by one, in registers: bursts copy sixteen bytes at once, and those would wait long for two
 * words that have just been written apart. */
static inline bool cbench_ring_push_one(struct cbench_ring *ring, uint64_t address, uint64_t iova)
{
	uint64_t at = ring->written;
	if (!cbench_ring_has_room(ring, 1))
		return false;
	ring->slots[at % CBENCH_RING_SLOTS].address = address;
	ring->slots[at % CBENCH_RING_SLOTS].iova = iova;
	__atomic_store_n(&ring->written, at + 1, __ATOMIC_RELEASE);
	return true;
}

/* Address 0 where there is none. */
static inline struct cbench_buffer cbench_ring_pop_one(struct cbench_ring *ring)
{
	struct cbench_buffer buffer = { 0, 0 };
	uint64_t at = ring->read;
	if (!cbench_ring_has(ring, 1))
		return buffer;
	buffer.address = ring->slots[at % CBENCH_RING_SLOTS].address;
	buffer.iova = ring->slots[at % CBENCH_RING_SLOTS].iova;
	__atomic_store_n(&ring->read, at + 1, __ATOMIC_RELEASE);
	return buffer;
}

/* Bursts divide the slots, so that none wraps. False where there is no room. */
static inline bool cbench_ring_push(struct cbench_ring *ring, const void *buffers, uint64_t count)
{
	uint64_t at = ring->written;
	if (!cbench_ring_has_room(ring, count))
		return false;
	const struct cbench_buffer *from = (const struct cbench_buffer *)buffers;
	struct cbench_buffer *to = ring->slots + at % CBENCH_RING_SLOTS;
	for (uint64_t i = 0; i < count; i++)
		to[i] = from[i];
	__atomic_store_n(&ring->written, at + count, __ATOMIC_RELEASE);
	return true;
}

/* False where there are fewer. */
static inline bool cbench_ring_pop(struct cbench_ring *ring, void *buffers, uint64_t count)
{
	uint64_t at = ring->read;
	if (!cbench_ring_has(ring, count))
		return false;
	struct cbench_buffer *to = (struct cbench_buffer *)buffers;
	const struct cbench_buffer *from = ring->slots + at % CBENCH_RING_SLOTS;
	for (uint64_t i = 0; i < count; i++)
		to[i] = from[i];
	__atomic_store_n(&ring->read, at + count, __ATOMIC_RELEASE);
	return true;
}

#endif
