#include "vdm_internal.h"

#include <pthread.h>
#include <stdlib.h>

struct cvdm_slot *cvdm_segments[CVDM_SEGMENTS];
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

static struct cvdm_slot *numbered(uint32_t number)
{
	return &cvdm_segments[number / CVDM_SEGMENT_SLOTS][number % CVDM_SEGMENT_SLOTS];
}

/* A free slot's number, or UINT32_MAX. */
static uint32_t take_slot(void)
{
	if (first_free) {
		uint32_t number = first_free - 1;
		first_free = numbered(number)->next_free;
		return number;
	}
	if (slot_count == 1u << CVDM_SLOT_BITS)
		return UINT32_MAX;
	struct cvdm_slot **segment = &cvdm_segments[slot_count / CVDM_SEGMENT_SLOTS];
	if (!*segment) {
		struct cvdm_slot *fresh = calloc(CVDM_SEGMENT_SLOTS, sizeof(struct cvdm_slot));
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
		struct cvdm_slot *slot = numbered(number);
		slot->object = object;
		slot->fast = fast;
		slot->generation++;
		uint64_t name = slot->generation << (CVDM_KIND_BITS + CVDM_SLOT_BITS) |
				(uint64_t)number << CVDM_KIND_BITS | kind;
		__atomic_store_n(&slot->name, name, __ATOMIC_RELEASE);
		handle = (void *)(uintptr_t)name;
	}
	cvdm_handles_unlock();
	return handle;
}

void *cvdm_handle_find(const void *handle, uint32_t kind)
{
	struct cvdm_slot *slot = cvdm_slot_of(handle, kind);
	return slot ? slot->object : NULL;
}

void *cvdm_handle_take(const void *handle, uint32_t kind)
{
	void *object = NULL;
	cvdm_handles_lock();
	struct cvdm_slot *slot = cvdm_slot_of(handle, kind);
	if (slot) {
		object = slot->object;
		__atomic_store_n(&slot->name, 0, __ATOMIC_RELEASE);
		slot->object = NULL;
		slot->fast = NULL;
		uint32_t number = (uint32_t)((uintptr_t)handle >> CVDM_KIND_BITS) &
				  ((1u << CVDM_SLOT_BITS) - 1);
		slot->next_free = first_free;
		first_free = number + 1;
	}
	cvdm_handles_unlock();
	return object;
}
