internal import HostMemory

// Budgets as the caller can ask for them, before anything is done.

extension DomainState {
    var budget: DMABudget {
        var budget = DMABudget()
        for target in targets {
            budget.entriesAtLeast = max(budget.entriesAtLeast, target.entries.lower)
            budget.entriesAtMost = max(budget.entriesAtMost, target.entries.upper)
            if let limit = target.device.entryLimit {
                budget.entryLimit = min(budget.entryLimit ?? limit, limit)
            }
            guard target.device.pinsMemory else { continue }
            let now = target.device.traits.lockedMemory()
            budget.lockedBytes = max(budget.lockedBytes, now.pinned)
            if let limit = now.limit {
                budget.lockedByteLimit = min(budget.lockedByteLimit ?? limit, limit)
            }
        }
        budget.regions = liveRegionCount
        budget.regionCapacity = regions.capacity
        budget.freeBytes = space.freeByteCount
        budget.largestHoleBytes = space.largestHole()
        return budget
    }

    /// What `count` regions alike would need: by the page size that is tried first, and at most by
    /// the one that is tried last.
    func requirement(
        _ count: Int, byteCount: Int, _ wanted: AllocationOptions
    ) -> DMARequirement {
        var requirement = DMARequirement()
        requirement.regions = count
        let sizes = extentSizes(count, byteCount: byteCount, wanted)
        let pages = wanted.pages
        for size in sizes {
            let candidates = pages.candidates(byteCount: size)
            let first = (candidates.first ?? .size4KiB).byteCount
            let last = (candidates.last ?? .size4KiB).byteCount
            let bytes = (size + first - 1) / first * first
            requirement.extents += 1
            requirement.entriesAtLeast += 1
            requirement.entriesAtMost += (bytes + last - 1) / last
            requirement.iovaBytes += UInt64(bytes)
        }
        if targets.allSatisfy({ !$0.device.pinsMemory }) {
            requirement.entriesAtMost = requirement.entriesAtLeast
        }
        let pinning = targets.filter { $0.device.pinsMemory }.count
        requirement.lockedBytes = requirement.iovaBytes * UInt64(pinning)
        requirement.shortage = shortage(requirement, largestExtent: sizes.max() ?? 0)
        if let limit = budget.entryLimit {
            requirement.mayExceedEntries =
                requirement.shortage != .entryLimit
                && budget.entriesAtMost + requirement.entriesAtMost > limit
        }
        return requirement
    }

    /// The extents that would be made, by size.
    private func extentSizes(
        _ count: Int, byteCount: Int, _ wanted: AllocationOptions
    ) -> [Int] {
        guard !wanted.needsOwnExtent(byteCount: byteCount) else {
            return [Int](repeating: byteCount, count: count)
        }
        let known = knownCarver(CarverKey(wanted))
        let step = UInt64(max(byteCount, Int(clamping: wanted.alignment)))
        var left = UInt64(count)
        known?.space.forEachHole { hole in
            let length = (hole.last.rawValue - hole.first.rawValue).addingReportingOverflow(1)
            let start = (0 &- hole.first.rawValue) & (wanted.alignment &- 1)
            guard !length.overflow, length.partialValue > start else { return }
            left -= min(left, (length.partialValue - start) / step)
        }
        var sizes: [Int] = []
        var mapped = known?.extentBytes ?? 0
        while left > 0 {
            let (bytes, overflow) = step.multipliedReportingOverflow(by: left)
            let size = Carver.nextExtentByteCount(
                mapped: mapped, region: Int(step), wanted: overflow ? .max : Int(clamping: bytes))
            sizes.append(size)
            mapped += UInt64(size)
            left -= min(left, UInt64(size) / step)
        }
        return sizes
    }

    private func shortage(_ wanted: DMARequirement, largestExtent: Int) -> DMAError.Code? {
        let now = budget
        if now.regions + wanted.regions > now.regionCapacity { return .regionCapacity }
        if wanted.iovaBytes > now.freeBytes || UInt64(largestExtent) > now.largestHoleBytes {
            return .noSpace
        }
        if let limit = now.lockedByteLimit, now.lockedBytes + wanted.lockedBytes > limit {
            return .lockedMemoryLimit
        }
        if let limit = now.entryLimit, now.entriesAtLeast + wanted.entriesAtLeast > limit {
            return .entryLimit
        }
        return nil
    }
}
