#include "vdm_internal.h"

#include <pthread.h>
#include <stdlib.h>

/* A name is a slot's number, its generation and its kind: never an address, never null, and not
 * used again before 2^40 others of its slot. */
#define KIND_BITS 4u
#define SLOT_BITS 20u
#define SEGMENT_SLOTS 1024u
#define SEGMENTS ((1u << SLOT_BITS) / SEGMENT_SLOTS)

struct slot {
	uint64_t name; /* 0 while free; read without the lock by cvdm_handle_fast */
	uint64_t generation;
	void *object;
	void *fast;
	uint32_t next_free; /* number + 1 of the next free slot */
};

/* Segments come as they are needed and stay: a reader without the lock never meets freed memory. */
static struct slot *segments[SEGMENTS];
static uint32_t slot_count;
static uint32_t first_free;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void watch_fork(void)
{
	/* A child gets the table whole, and not a lock that nobody will open. */
	pthread_atfork(cvdm_handles_lock, cvdm_handles_unlock, cvdm_handles_unlock);
}

void cvdm_handles_lock(void)
{
	pthread_mutex_lock(&lock);
}

void cvdm_handles_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

static struct slot *slot_of(const void *handle, uint32_t kind)
{
	uint64_t name = (uint64_t)(uintptr_t)handle;
	uint32_t number = (uint32_t)(name >> KIND_BITS) & ((1u << SLOT_BITS) - 1);
	if ((name & ((1u << KIND_BITS) - 1)) != kind)
		return NULL;
	struct slot *segment =
		__atomic_load_n(&segments[number / SEGMENT_SLOTS], __ATOMIC_ACQUIRE);
	if (!segment)
		return NULL;
	struct slot *slot = &segment[number % SEGMENT_SLOTS];
	return __atomic_load_n(&slot->name, __ATOMIC_ACQUIRE) == name ? slot : NULL;
}

static struct slot *numbered(uint32_t number)
{
	return &segments[number / SEGMENT_SLOTS][number % SEGMENT_SLOTS];
}

/* A free slot's number, or UINT32_MAX. */
static uint32_t take_slot(void)
{
	if (first_free) {
		uint32_t number = first_free - 1;
		first_free = numbered(number)->next_free;
		return number;
	}
	if (slot_count == 1u << SLOT_BITS)
		return UINT32_MAX;
	struct slot **segment = &segments[slot_count / SEGMENT_SLOTS];
	if (!*segment) {
		struct slot *fresh = calloc(SEGMENT_SLOTS, sizeof(struct slot));
		if (!fresh)
			return UINT32_MAX;
		__atomic_store_n(segment, fresh, __ATOMIC_RELEASE);
	}
	return slot_count++;
}

void *cvdm_handle_make(uint32_t kind, void *object, void *fast)
{
	pthread_once(&fork_once, watch_fork);
	void *handle = NULL;
	cvdm_handles_lock();
	uint32_t number = take_slot();
	if (number != UINT32_MAX) {
		struct slot *slot = numbered(number);
		slot->object = object;
		slot->fast = fast;
		slot->generation++;
		uint64_t name = slot->generation << (KIND_BITS + SLOT_BITS) |
				(uint64_t)number << KIND_BITS | kind;
		__atomic_store_n(&slot->name, name, __ATOMIC_RELEASE);
		handle = (void *)(uintptr_t)name;
	}
	cvdm_handles_unlock();
	return handle;
}

void *cvdm_handle_find(const void *handle, uint32_t kind)
{
	struct slot *slot = slot_of(handle, kind);
	return slot ? slot->object : NULL;
}

void *cvdm_handle_fast(const void *handle, uint32_t kind)
{
	struct slot *slot = slot_of(handle, kind);
	return slot ? slot->fast : NULL;
}

void *cvdm_handle_take(const void *handle, uint32_t kind)
{
	void *object = NULL;
	cvdm_handles_lock();
	struct slot *slot = slot_of(handle, kind);
	if (slot) {
		object = slot->object;
		__atomic_store_n(&slot->name, 0, __ATOMIC_RELEASE);
		slot->object = NULL;
		slot->fast = NULL;
		uint32_t number = (uint32_t)((uintptr_t)handle >> KIND_BITS) &
				  ((1u << SLOT_BITS) - 1);
		slot->next_free = first_free;
		first_free = number + 1;
	}
	cvdm_handles_unlock();
	return object;
}
