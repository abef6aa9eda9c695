// The values that BenchmarkKit's generator draws, and that its tests hold, too.
#include "workload.h"

namespace {

struct Expected {
	Sizes sizes;
	size_t slots;
	uint64_t fill_byte_count, tight_range;
	std::vector<Step> sparse, tight;
};

const Expected expectations[] = {
	{Sizes::mixed, 1000, 3028029440, 3785359360,
	 {{333, 10}, {882, 1}, {108, 1}, {363, 11264}}, {{923, 1}, {882, 1}, {529, 16}, {108, 9}}},
	{Sizes::page, 1000, 4096000, 6291456,
	 {{333, 1}, {882, 1}, {108, 1}, {363, 1}}, {{923, 1}, {882, 1}, {529, 1}, {108, 1}}},
	{Sizes::huge, 1000, 2097152000, 2625634304,
	 {{333, 512}, {882, 512}, {108, 512}, {363, 512}},
	 {{923, 512}, {882, 512}, {529, 512}, {108, 512}}},
	{Sizes::powers, 1000, 116305596416, 145382965248,
	 {{333, 131072}, {882, 1024}, {108, 8192}, {363, 256}},
	 {{923, 64}, {882, 32768}, {529, 8}, {108, 4096}}},
	{Sizes::drift, 1000, 3028029440, 4232052736,
	 {{333, 10}, {882, 3}, {108, 5}, {363, 87552}},
	 {{333, 10}, {882, 3}, {108, 5}, {363, 87552}}},
	{Sizes::mixed, 1000000, 2108197294080, 2635249745920,
	 {{688778, 512}, {719706, 512}, {604936, 1}, {631140, 1}},
	 {{992127, 512}, {719706, 3}, {753862, 512}, {604936, 1}}},
};

} // namespace

void check_workloads()
{
	for (const Expected &expected : expectations) {
		Trace sparse = sparse_trace(expected.sizes, expected.slots, 4, 42);
		Trace tight = tight_trace(expected.sizes, expected.slots, 4, 42);
		if (sparse.fill_byte_count() != expected.fill_byte_count ||
		    tight.range_byte_count != expected.tight_range ||
		    sparse.steps != expected.sparse || tight.steps != expected.tight)
			fail("the generator does not draw the workloads of BenchmarkKit");
	}
}
