#include "pool_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is wrong with a buffer that is taken or given, told before the process ends. */

enum { STATE_NEW, STATE_OUT, STATE_FREE }; /* new: free, and never given */

#define FILL 0xb5 /* unlike zeros, text, addresses, and what fills dead memory elsewhere */

__attribute__((format(printf, 2, 3), noreturn)) static void
die(const struct cdp_buffer *buffer, const char *format, ...)
{
	char text[320], reason[200];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	int length = snprintf(text, sizeof(text),
			      "Fatal error: DMA buffer at 0x%" PRIx64 ", IOVA 0x%" PRIx64 ": %s\n",
			      buffer->address, buffer->iova, reason);
	ssize_t written = write(STDERR_FILENO, text, (size_t)length);
	(void)written;
	abort();
}

struct region *pool_region(struct cdp_pool *pool, uint64_t address)
{
	size_t low = 0, high = pool->region_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (pool->regions[middle].place.address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	struct region *region = &pool->regions[low - 1];
	uint64_t offset = address - region->place.address;
	return offset < region->place.count * pool->options.stride ? region : NULL;
}

/* The buffer's state, once it is known to be one of the pool's. */
static uint8_t *state(struct cdp_pool *pool, const struct cdp_buffer *buffer)
{
	struct region *region = pool_region(pool, buffer->address);
	if (!region)
		die(buffer, "given to a pool that it is not of");
	uint64_t offset = buffer->address - region->place.address;
	if (offset % pool->options.stride != 0)
		die(buffer, "given, and no buffer begins there: %" PRIu64 " bytes into one",
		    offset % pool->options.stride);
	if (buffer->iova != region->place.iova + offset)
		die(buffer, "given with a wrong IOVA: its own is 0x%" PRIx64,
		    region->place.iova + offset);
	return &region->states[offset / pool->options.stride];
}

static unsigned char *first_byte(const struct cdp_pool *pool, const struct cdp_buffer *buffer)
{
	return (unsigned char *)(uintptr_t)(buffer->address - pool->options.headroom);
}

static size_t byte_count(const struct cdp_pool *pool)
{
	return pool->options.headroom + pool->options.byte_count;
}

void pool_check_given(struct cdp_pool *pool, const struct cdp_buffer *buffers, size_t count)
{
	pthread_mutex_lock(&pool->lock);
	for (size_t i = 0; i < count; i++) {
		uint8_t *now = state(pool, &buffers[i]);
		if (*now != STATE_OUT)
			die(&buffers[i], "given twice");
		memset(first_byte(pool, &buffers[i]), FILL, byte_count(pool));
		*now = STATE_FREE;
	}
	pthread_mutex_unlock(&pool->lock);
}

void pool_check_taken(struct cdp_pool *pool, const struct cdp_buffer *buffers, size_t count)
{
	pthread_mutex_lock(&pool->lock);
	for (size_t i = 0; i < count; i++) {
		uint8_t *now = state(pool, &buffers[i]);
		const unsigned char *bytes = first_byte(pool, &buffers[i]);
		for (size_t at = 0; *now == STATE_FREE && at < byte_count(pool); at++) {
			if (bytes[at] != FILL)
				die(&buffers[i],
				    "written to after it was given: byte %lld is 0x%02x",
				    (long long)at - (long long)pool->options.headroom, bytes[at]);
		}
		*now = STATE_OUT;
	}
	pthread_mutex_unlock(&pool->lock);
}
