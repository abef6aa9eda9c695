internal import HostMemory

// What regions that are not there yet would need: planned on paper, with the ranges tried in the
// space.

/// Extents of one size that a request would make.
private struct ExtentRun {
    /// Bytes that are mapped.
    var byteCount: UInt64
    var count: UInt64
}

extension DomainState {
    /// What `count` regions alike would need: by the page size that is tried first, and at most by
    /// the one that is tried last.
    mutating func requirement(
        _ count: Int, byteCount: Int, _ wanted: AllocationOptions
    ) -> DMARequirement {
        var requirement = DMARequirement()
        requirement.regions = count
        let isCarved = !wanted.needsOwnExtent(byteCount: byteCount)
        var runs = [ExtentRun(byteCount: UInt64(byteCount), count: UInt64(count))]
        if isCarved { runs = carvedExtents(UInt64(count), byteCount, wanted) }
        // Behind a shared extent a page stays unmapped.
        let guardBytes: UInt64 = isCarved ? 4096 : 0
        var mapped: UInt64 = 0
        for index in runs.indices {
            // A place that the caller chose is exactly as large as asked.
            if !wanted.placement.isChosen {
                runs[index].byteCount = wanted.pages.backedByteCount(runs[index].byteCount)
            }
            let candidates = wanted.pages.candidates(byteCount: Int(runs[index].byteCount))
            let last = UInt64((candidates.last ?? .size4KiB).byteCount)
            let (run, entries) = (runs[index], (runs[index].byteCount + last - 1) / last)
            requirement.extents += Int(run.count)
            requirement.entriesAtMost += Int(entries * run.count)
            mapped += run.byteCount * run.count
            requirement.iovaBytes += (run.byteCount + guardBytes) * run.count
        }
        requirement.entriesAtLeast = requirement.extents
        let pinning = targets.filter { $0.device.pinsMemory }.count
        if pinning == 0 { requirement.entriesAtMost = requirement.entriesAtLeast }
        let (locked, overflow) = mapped.multipliedReportingOverflow(by: UInt64(pinning))
        requirement.lockedBytes = overflow ? .max : locked
        requirement.shortage =
            shortage(requirement, largest: (runs.map(\.byteCount).max() ?? 0) + guardBytes)
            ?? refusalToPlace(runs, UInt64(byteCount), wanted, guardBytes)
        let now = budget
        if let limit = now.entryLimit, requirement.shortage != .entryLimit {
            requirement.mayExceedEntries =
                requirement.entriesAtMost > max(0, limit - now.entriesAtMost)
        }
        return requirement
    }

    /// The shared extents that would be made for what does not fit into those that there are.
    private func carvedExtents(
        _ count: UInt64, _ byteCount: Int, _ wanted: AllocationOptions
    ) -> [ExtentRun] {
        let size = UInt64(byteCount)
        let known = knownCarver(CarverKey(wanted))
        var left = count
        known?.space.forEachHole { hole in
            guard left > 0, let part = hole.intersection(wanted.placement.window) else { return }
            left -= min(left, part.fitting(size, alignment: wanted.alignment))
        }
        var runs: [ExtentRun] = []
        var mapped = known?.extentBytes ?? 0
        let limit = known?.growthLimit ?? Carver.largestExtent
        while left > 0 {
            let asked = Carver.nextExtentByteCount(
                mapped: mapped, region: byteCount, wanted: Int(clamping: size * left), limit: limit)
            let bytes = wanted.pages.backedByteCount(UInt64(asked))
            // An extent begins at a multiple of the alignment.
            let fits = IOVARange(first: 0, last: bytes - 1).fitting(
                size, alignment: wanted.alignment)
            // Extents that grow no further are all alike.
            let extents = mapped / 4 >= UInt64(limit) ? (left - 1) / fits + 1 : 1
            runs.append(ExtentRun(byteCount: bytes, count: extents))
            mapped += bytes * extents
            left -= min(left, fits * extents)
        }
        return runs
    }

    private func shortage(_ wanted: DMARequirement, largest: UInt64) -> DMAError.Code? {
        let now = budget
        if wanted.regions > now.regionCapacity - now.regions { return .regionCapacity }
        if wanted.iovaBytes > now.freeBytes || largest > now.largestHoleBytes { return .noSpace }
        if let limit = now.lockedByteLimit,
            wanted.lockedBytes > limit - min(limit, now.lockedBytes)
        {
            return .lockedMemoryLimit
        }
        if let limit = now.entryLimit, wanted.entriesAtLeast > limit - now.entriesAtLeast {
            return .entryLimit
        }
        return nil
    }

    /// Places every extent and takes it back: so windows, alignments, the caller's addresses and
    /// the pages behind shared extents count as they will.
    private mutating func refusalToPlace(
        _ runs: [ExtentRun], _ byteCount: UInt64, _ wanted: AllocationOptions,
        _ guardBytes: UInt64
    ) -> DMAError.Code? {
        let placement: IOVAPlacement
        var alignment = wanted.alignment
        switch wanted.placement {
        case .anywhere: placement = .anywhere()
        case .within(let window): placement = .within(window)
        case .fixed(let iova, let deliberately):
            placement = .fixed(iova, overReservations: deliberately)
            alignment = 4096
        // Nobody knows the address of memory that is not there.
        case .identity: return nil
        }
        if guardBytes > 0 { alignment = max(alignment, UInt64(Carver.smallestExtent)) }
        var placed: [IOVAHandle] = []
        defer { for handle in placed.reversed() { unwind { try space.free(handle) } } }
        for run in runs {
            for _ in 0..<run.count {
                do throws(IOVASpaceError) {
                    do throws(IOVASpaceError) {
                        placed.append(
                            try space.allocate(
                                byteCount: run.byteCount + guardBytes, alignment: alignment,
                                placement: placement
                            ).handle)
                    } catch .noSpace where guardBytes == 0 && run.byteCount > byteCount {
                        // The last large page need not be mapped as a whole.
                        placed.append(
                            try space.allocate(
                                byteCount: byteCount, alignment: alignment, placement: placement
                            ).handle)
                    }
                } catch {
                    return DMAError(error).code
                }
            }
        }
        return nil
    }
}

extension PagePolicy {
    /// The size in whole pages of the size that is tried first.
    fileprivate func backedByteCount(_ byteCount: UInt64) -> UInt64 {
        let first = candidates(byteCount: Int(byteCount)).first ?? .size4KiB
        let page = UInt64(first.byteCount)
        return (byteCount + page - 1) / page * page
    }
}

extension Placement {
    fileprivate var window: IOVARange {
        if case .within(let window) = self { window } else { .all }
    }
}

extension IOVARange {
    /// How many ranges of `size` bytes it holds that begin at multiples of `alignment`.
    fileprivate func fitting(_ size: UInt64, alignment: UInt64) -> UInt64 {
        let skipped = (0 &- first.rawValue) & (alignment - 1)
        let length = last.rawValue - first.rawValue
        guard skipped <= length, length - skipped >= size - 1 else { return 0 }
        // Sizes are below 2^47, so that this does not overflow.
        let stride = (size + (alignment - 1)) & ~(alignment - 1)
        return (length - skipped - (size - 1)) / stride + 1
    }
}
