#include "cbench_pool.h"

/* Each element goes through memory, as it does in a program that does something in between. */
#define IN_BETWEEN __asm__ __volatile__("" : : : "memory")

static inline struct cbench_buffer take(struct cbench_array *array)
{
	return array->elements[--array->count];
}

static inline void give(struct cbench_array *array, struct cbench_buffer buffer)
{
	array->elements[array->count++] = buffer;
}

static inline void take_all(struct cbench_array *array, struct cbench_buffer *to, uint64_t count)
{
	const struct cbench_buffer *from = array->elements + (array->count - count);
	for (uint64_t i = 0; i < count; i++)
		to[i] = from[i];
	array->count -= count;
}

static inline void give_all(struct cbench_array *array, const struct cbench_buffer *from,
			    uint64_t count)
{
	struct cbench_buffer *to = array->elements + array->count;
	for (uint64_t i = 0; i < count; i++)
		to[i] = from[i];
	array->count += count;
}

uint64_t cbench_array_lifo(struct cbench_array *array, uint64_t steps, uint64_t burst,
			   struct cbench_buffer *space)
{
	uint64_t sum = 0;
	for (uint64_t step = 0; burst == 1 && step < steps; step++) {
		struct cbench_buffer buffer = take(array);
		IN_BETWEEN;
		sum += buffer.iova;
		give(array, buffer);
		IN_BETWEEN;
	}
	for (uint64_t step = 0; burst > 1 && step < steps; step++) {
		take_all(array, space, burst);
		IN_BETWEEN;
		sum += space[burst - 1].iova;
		give_all(array, space, burst);
		IN_BETWEEN;
	}
	return sum;
}

uint64_t cbench_array_ring(struct cbench_array *array, uint64_t steps, uint64_t burst,
			   struct cbench_buffer *space, uint64_t outstanding, uint64_t *oldest)
{
	uint64_t sum = 0, at = *oldest;
	for (uint64_t step = 0; burst == 1 && step < steps; step++) {
		give(array, space[at]);
		IN_BETWEEN;
		space[at] = take(array);
		IN_BETWEEN;
		sum += space[at].iova;
		at = (at + 1) & (outstanding - 1);
	}
	for (uint64_t step = 0; burst > 1 && step < steps; step++) {
		give_all(array, space + at, burst);
		IN_BETWEEN;
		take_all(array, space + at, burst);
		IN_BETWEEN;
		sum += space[at + burst - 1].iova;
		at = (at + burst) & (outstanding - 1);
	}
	*oldest = at;
	return sum;
}
