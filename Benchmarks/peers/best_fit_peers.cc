// Runs one case of suite `allocator` on a best-fit allocator and prints its figures as a line of
// JSON, with the names of vdpa-bench. Measures as ChurnCases.swift does.
//
// best-fit-peers PEER CASE N [--seed S] [--steps B] [--single-steps S] [--phase-seconds S]
//                            [--minimum-warm-up W]
#include "best_fit.h"
#include "workload.h"

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>
#include <chrono>
#include <map>
#include <set>

#include "cbenchmark.h" // Only what is inline: nothing is linked.

template <typename Key, typename Value> using StdMap = std::map<Key, Value>;
template <typename Key> using StdSet = std::set<Key>;
template <typename Key, typename Value> using AbslMap = absl::btree_map<Key, Value>;
template <typename Key> using AbslSet = absl::btree_set<Key>;

namespace {

constexpr uint64_t base = uint64_t(1) << 32;
constexpr size_t steps_per_block = 256;

struct Options {
	std::string peer, workload;
	size_t slots = 0;
	uint64_t seed = 42;
	size_t steps = 1000000, single_steps = 300000, minimum_warm_up = 100000;
	double phase_seconds = 1;
};

// As Slot of BenchmarkKit: 24 bytes.
struct Slot {
	uint64_t address, unused;
	uint32_t pages, live;
};

double nanoseconds_per_tick()
{
	using Clock = std::chrono::steady_clock;
	auto start = Clock::now();
	uint64_t start_ticks = cbench_ticks_begin();
	std::chrono::nanoseconds passed{0};
	while (passed < std::chrono::milliseconds(50))
		passed = Clock::now() - start;
	return double(passed.count()) / double(cbench_ticks_end() - start_ticks);
}

double median(std::vector<double> values)
{
	std::sort(values.begin(), values.end());
	size_t middle = values.size() / 2;
	return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

template <typename Allocator> class Churn {
public:
	explicit Churn(const Trace &trace)
		: trace(trace), allocator(base, trace.range_byte_count), slots(trace.fill.size())
	{
		for (size_t index = 0; index < trace.fill.size(); index++)
			store(trace.fill[index], index);
	}

	std::vector<uint64_t> run_blocks(size_t count, uint64_t limit)
	{
		std::vector<uint64_t> ticks;
		ticks.reserve(count / steps_per_block);
		uint64_t deadline = cbench_ticks_end() + limit;
		for (size_t block = 0; block < count / steps_per_block; block++) {
			uint64_t start = cbench_ticks_begin();
			for (size_t step = 0; step < steps_per_block; step++)
				run(trace.steps[position++]);
			uint64_t end = cbench_ticks_end();
			ticks.push_back(end - start);
			if (end > deadline)
				break;
		}
		return ticks;
	}

	std::vector<uint64_t> run_singly(size_t count, uint64_t limit)
	{
		std::vector<uint64_t> ticks;
		ticks.reserve(count);
		uint64_t deadline = cbench_ticks_end() + limit;
		for (size_t step = 0; step < count; step++) {
			uint64_t start = cbench_ticks_begin();
			run(trace.steps[position++]);
			uint64_t end = cbench_ticks_end();
			ticks.push_back(end - start);
			if (end > deadline)
				break;
		}
		return ticks;
	}

	// The span of the live regions over their bytes. Ends the program where two of them overlap,
	// or one is not aligned or lies outside the range.
	double verified_span_over_live() const
	{
		std::vector<Slot> live;
		for (const Slot &slot : slots)
			if (slot.live)
				live.push_back(slot);
		std::sort(live.begin(), live.end(),
			  [](const Slot &a, const Slot &b) { return a.address < b.address; });
		uint64_t end = base, bytes = 0;
		for (const Slot &slot : live) {
			if (slot.address < end || slot.address % alignment(slot.pages))
				fail("live regions overlap or are out of alignment");
			end = slot.address + byte_count(slot.pages);
			bytes += byte_count(slot.pages);
		}
		if (end > base + trace.range_byte_count)
			fail("a live region lies outside the range");
		if (live.size() != allocator.region_count() || live.empty())
			fail("the regions are miscounted");
		return double(end - live.front().address) / double(bytes);
	}

	size_t failures = 0;
	uint64_t checksum = 0;

private:
	void run(Step step)
	{
		Slot &slot = slots[step.victim];
		if (slot.live) {
			checksum ^= allocator.free(slot.address) + slot.address - 1;
			slot.live = 0;
		}
		store(step.pages, step.victim);
	}

	void store(uint32_t pages, size_t index)
	{
		auto address = allocator.allocate(byte_count(pages), alignment(pages));
		if (!address) {
			failures++;
			return;
		}
		slots[index] = {*address, 0, pages, 1};
		checksum = (checksum << 1 | checksum >> 63) ^ *address;
	}

	const Trace &trace;
	Allocator allocator;
	std::vector<Slot> slots;
	size_t position = 0;
};

template <typename Allocator> void measure(const Options &options, const Trace &trace)
{
	double per_tick = nanoseconds_per_tick();
	uint64_t limit = uint64_t(options.phase_seconds * 1e9 / per_tick);
	Churn<Allocator> churn(trace);
	churn.run_blocks(std::max(options.slots, options.minimum_warm_up), limit);
	std::vector<uint64_t> blocks = churn.run_blocks(options.steps, limit);
	std::vector<uint64_t> singles = churn.run_singly(options.single_steps, limit);
	double span = churn.verified_span_over_live();
	if (blocks.empty() || singles.empty())
		fail("nothing was timed");
	std::vector<double> times;
	double sum = 0;
	for (uint64_t ticks : blocks) {
		times.push_back(double(ticks) * per_tick / double(steps_per_block));
		sum += times.back();
	}
	std::sort(singles.begin(), singles.end());
	auto percentile = [&](double share) {
		return double(singles[size_t(double(singles.size() - 1) * share)]) * per_tick;
	};
	printf("{\"peer\": \"%s\", \"case\": \"%s\", \"n\": %zu, \"median_ns\": %.3f, "
	       "\"mean_ns\": %.3f, \"p50_ns\": %.1f, \"p99_ns\": %.1f, \"p999_ns\": %.1f, "
	       "\"max_ns\": %.1f, \"failures\": %zu, \"span_over_live\": %.6f, "
	       "\"checksum\": \"0x%llx\"}\n",
	       options.peer.c_str(), options.workload.c_str(), options.slots, median(times),
	       sum / double(times.size()), percentile(0.5), percentile(0.99), percentile(0.999),
	       percentile(1), churn.failures, span, (unsigned long long)churn.checksum);
}

Options parse(int count, char **words)
{
	if (count < 4 || count % 2)
		fail("usage: best-fit-peers PEER CASE N [--OPTION VALUE]...; see the source");
	Options options;
	options.peer = words[1];
	options.workload = words[2];
	options.slots = strtoull(words[3], nullptr, 10);
	for (int index = 4; index + 1 < count; index += 2) {
		std::string name = words[index];
		const char *value = words[index + 1];
		if (name == "--seed")
			options.seed = strtoull(value, nullptr, 10);
		else if (name == "--steps")
			options.steps = strtoull(value, nullptr, 10);
		else if (name == "--single-steps")
			options.single_steps = strtoull(value, nullptr, 10);
		else if (name == "--minimum-warm-up")
			options.minimum_warm_up = strtoull(value, nullptr, 10);
		else if (name == "--phase-seconds")
			options.phase_seconds = strtod(value, nullptr);
		else
			fail("no option is called " + name);
	}
	if (options.slots < 1 || options.slots > UINT32_MAX)
		fail("N is 1 to 2^32-1");
	return options;
}

Trace trace_of(const Options &options)
{
	size_t steps = std::max(options.slots, options.minimum_warm_up) + options.steps +
		       options.single_steps;
	std::string name = options.workload.substr(0, 2), sizes_name = options.workload.substr(2);
	Sizes sizes;
	if (sizes_name.empty())
		sizes = Sizes::mixed;
	else if (sizes_name == "-4k")
		sizes = Sizes::page;
	else if (sizes_name == "-2m")
		sizes = Sizes::huge;
	else if (sizes_name == "-pow2")
		sizes = Sizes::powers;
	else if (sizes_name == "-drift")
		sizes = Sizes::drift;
	else
		fail("no case is called " + options.workload);
	if (name == "W1")
		return sparse_trace(sizes, options.slots, steps, options.seed);
	if (name == "W2")
		return tight_trace(sizes, options.slots, steps, options.seed);
	fail("no case is called " + options.workload);
}

} // namespace

int main(int count, char **words)
{
	check_workloads();
	Options options = parse(count, words);
	Trace trace = trace_of(options);
	if (options.peer == "absl")
		measure<BestFit<AbslMap, AbslSet>>(options, trace);
	else if (options.peer == "std")
		measure<BestFit<StdMap, StdSet>>(options, trace);
	else
		fail("no peer is called " + options.peer);
}
