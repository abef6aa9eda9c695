// The workloads of suite `allocator`, drawn number for number as BenchmarkKit draws them:
// SplitMix64.swift, SizeDistribution.swift and ChurnTrace.swift are the originals.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

[[noreturn]] inline void fail(const std::string &message)
{
	fprintf(stderr, "best-fit-peers: %s\n", message.c_str());
	exit(2);
}

class SplitMix64 {
public:
	explicit SplitMix64(uint64_t seed) : state(seed) {}

	uint64_t next()
	{
		state += 0x9E3779B97F4A7C15;
		uint64_t mixed = state;
		mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
		mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
		return mixed ^ (mixed >> 31);
	}

private:
	uint64_t state;
};

inline uint64_t pick(uint64_t draw, uint64_t count) { return ((draw >> 32) * count) >> 32; }

inline uint64_t byte_count(uint32_t pages) { return uint64_t(pages) << 12; }
inline uint64_t alignment(uint32_t pages) { return pages >= 512 ? 2 << 20 : 4 << 10; }

inline uint32_t mixed_page_count(uint64_t draw)
{
	uint64_t percent = (draw >> 32) % 100, rest = draw & 0xFFFFFFFF;
	if (percent < 50)
		return 1;
	if (percent < 80)
		return uint32_t(2 + rest % 15);
	if (percent < 95)
		return 512;
	return uint32_t(512 * (2 + rest % 31));
}

enum class Sizes { mixed, page, huge, powers, drift };

inline uint32_t page_count(Sizes sizes, uint64_t draw, uint64_t step, uint64_t steps)
{
	switch (sizes) {
	case Sizes::mixed:
		return mixed_page_count(draw);
	case Sizes::page:
		return 1;
	case Sizes::huge:
		return 512;
	case Sizes::powers:
		return 1u << pick(draw, 19);
	case Sizes::drift:
		break;
	}
	uint64_t pages = mixed_page_count(draw);
	uint64_t exact = steps ? pages * (steps + 9 * step) / steps : pages;
	return uint32_t(exact < 512 ? exact : (exact + 511) / 512 * 512);
}

struct Step {
	uint32_t victim, pages;
	bool operator==(const Step &other) const
	{
		return victim == other.victim && pages == other.pages;
	}
};

struct Trace {
	std::vector<uint32_t> fill;
	std::vector<Step> steps;
	uint64_t range_byte_count;

	uint64_t fill_byte_count() const
	{
		uint64_t sum = 0;
		for (uint32_t pages : fill)
			sum += byte_count(pages);
		return sum;
	}

	uint64_t peak_byte_count() const
	{
		std::vector<uint32_t> held = fill;
		uint64_t live = fill_byte_count(), peak = live;
		for (const Step &step : steps) {
			live += byte_count(step.pages) - byte_count(held[step.victim]);
			held[step.victim] = step.pages;
			peak = std::max(peak, live);
		}
		return peak;
	}
};

inline Trace sparse_trace(Sizes sizes, size_t slots, size_t steps, uint64_t seed)
{
	SplitMix64 generator(seed);
	Trace trace;
	for (size_t slot = 0; slot < slots; slot++)
		trace.fill.push_back(page_count(sizes, generator.next(), 0, steps));
	for (size_t step = 0; step < steps; step++) {
		uint32_t victim = uint32_t(pick(generator.next(), slots));
		trace.steps.push_back({victim, page_count(sizes, generator.next(), step, steps)});
	}
	bool wide = sizes == Sizes::powers || sizes == Sizes::drift;
	trace.range_byte_count = uint64_t(1) << (wide ? 50 : 46);
	return trace;
}

inline uint64_t tight_range(uint64_t live)
{
	const uint64_t unit = 2 << 20;
	return uint64_t(double(live) / 0.8 + double(unit)) / unit * unit;
}

inline Trace tight_trace(Sizes sizes, size_t slots, size_t steps, uint64_t seed)
{
	if (sizes == Sizes::drift) {
		Trace trace = sparse_trace(sizes, slots, steps, seed);
		trace.range_byte_count = tight_range(trace.peak_byte_count());
		return trace;
	}
	SplitMix64 generator(seed);
	Trace trace;
	for (size_t slot = 0; slot < slots; slot++)
		trace.fill.push_back(page_count(sizes, generator.next(), 0, steps));
	uint32_t pending = page_count(sizes, generator.next(), 0, steps);
	trace.range_byte_count = tight_range(trace.fill_byte_count() + byte_count(pending));
	std::vector<uint32_t> held = trace.fill;
	for (size_t step = 0; step < steps; step++) {
		uint32_t victim = uint32_t(pick(generator.next(), slots));
		trace.steps.push_back({victim, pending});
		std::swap(pending, held[victim]);
	}
	return trace;
}

// Ends the program where a trace is not the one that WorkloadTests.swift expects, too.
void check_workloads();
