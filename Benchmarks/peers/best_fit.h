// Exact best fit over an ordered map: what one writes first. Templated over the map, so that the
// B-tree of Abseil and the red-black tree of the standard library are measured by the same code.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

// `Map<Key, Value>` and `Set<Key>`: ordered containers with lower_bound and iterators.
template <template <typename, typename> class Map, template <typename> class Set>
class BestFit {
public:
	BestFit(uint64_t first, uint64_t byte_count) { add_hole(first, byte_count); }

	// The lowest aligned address in the smallest hole that fits there, the lowest such hole.
	std::optional<uint64_t> allocate(uint64_t size, uint64_t alignment)
	{
		auto hole = by_size.lower_bound({size, 0});
		for (; hole != by_size.end(); ++hole) {
			auto [length, first] = *hole;
			uint64_t address = (first + alignment - 1) & ~(alignment - 1);
			uint64_t pad = address - first;
			if (pad > length || length - pad < size)
				continue;
			by_size.erase(hole);
			uint64_t rest = length - pad - size;
			// The hole's own entry stays where a part in front is left.
			auto entry = by_address.find(first);
			if (pad) {
				entry->second = pad;
				by_size.insert({pad, first});
			} else {
				by_address.erase(entry);
			}
			if (rest)
				add_hole(address + size, rest);
			live.insert({address, size});
			return address;
		}
		return std::nullopt;
	}

	// The size of the region that was live there; 0 where none was.
	uint64_t free(uint64_t address)
	{
		auto region = live.find(address);
		if (region == live.end())
			return 0;
		uint64_t size = region->second;
		live.erase(region);
		uint64_t first = address, length = size;
		auto next = by_address.lower_bound(address);
		if (next != by_address.begin()) {
			auto before = next;
			--before;
			if (before->first + before->second == address) {
				by_size.erase({before->second, before->first});
				first = before->first;
				length += before->second;
				if (next != by_address.end() && next->first == address + size) {
					by_size.erase({next->second, next->first});
					length += next->second;
					by_address.erase(next);
					// The iterator may be stale: B-trees move their elements.
					before = by_address.find(first);
				}
				before->second = length;
				by_size.insert({length, first});
				return size;
			}
		}
		if (next != by_address.end() && next->first == address + size) {
			by_size.erase({next->second, next->first});
			length += next->second;
			by_address.erase(next);
		}
		add_hole(first, length);
		return size;
	}

	size_t region_count() const { return live.size(); }

private:
	void add_hole(uint64_t first, uint64_t length)
	{
		by_address.insert({first, length});
		by_size.insert({length, first});
	}

	Map<uint64_t, uint64_t> by_address;
	Set<std::pair<uint64_t, uint64_t>> by_size;
	Map<uint64_t, uint64_t> live;
};
