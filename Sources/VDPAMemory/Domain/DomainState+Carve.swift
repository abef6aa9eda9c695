internal import HostMemory

// The short way for small regions: where a shared extent has room, nothing is mapped and nothing can
// have to be undone, so that no transaction is needed.

/// A region as its owner gets it, without a second look.
struct CarvedRegion {
    let id: RegionID
    let range: IOVARange
    let address: UInt
    let memory: MemoryBox?
    /// Whether it shows an earlier owner's content, which is to be zeroed before it is handed out.
    let isUnclean: Bool
}

extension DomainState {
    /// A region from a shared extent that is mapped already, owned; nil where there is none with
    /// room, or something else is short: then `commit` says what.
    ///
    /// - Complexity: O(1) where the carver's magazine has a range of the size, O(log n) otherwise.
    ///   No message, no system call, no allocation.
    mutating func carveAtOnce(
        byteCount: UInt64, _ wanted: AllocationOptions
    ) throws(DMAError) -> CarvedRegion? {
        try requireOpen()
        guard let carver = knownCarver(CarverKey(wanted)),
            regions.count < regions.capacity,
            let place = carver.roomAtOnce(for: byteCount, wanted)
        else { return nil }
        let extent = extent(of: carver, at: place.range)
        guard let id = regions.take() else { preconditionFailure("counted just above") }
        let offset = place.range.first.rawValue - extent.range.first.rawValue
        let address = extent.address + UInt(offset)
        let size = place.range.last.rawValue - place.range.first.rawValue + 1
        let isUnclean = !wanted.isUninitialised && offset < extent.dirtyByteCount
        extent.dirtyByteCount = max(extent.dirtyByteCount, offset + size)
        extent.liveRegions += 1
        extent.carvedBytes += size
        regions.update(id) { record in
            record = RegionRecord(
                state: .live, isOwned: true, access: extent.access, isCarved: true,
                first: place.range.first.rawValue, byteCount: size, address: address,
                handle: place.handle, extentSlot: extent.handles[0].slot)
        }
        liveRegionCount += 1
        liveRegionBytes += size
        counters.batches += 1
        return CarvedRegion(
            id: id, range: place.range, address: address, memory: extent.memory,
            isUnclean: isUnclean)
    }

    /// Frees a carved region whose extent stays, or answers false: then `commit` does it.
    mutating func uncarveAtOnce(_ id: RegionID, _ right: FreeRight) throws(DMAError) -> Bool {
        try requireOpen()
        guard let record = regions.record(id), record.state == .live, record.isCarved,
            right.byOwner || !record.isOwned
        else { return false }
        let extent = extent(of: record)
        guard let carver = extent.carver,
            extent.liveRegions > 1 || !carver.releasesWhenEmpty(extent, retiring: [])
        else { return false }
        if !right.force { try requireNoRing(in: record.range) }
        carver.clean(record)
        unwind { try carver.space.free(record.handle) }
        extent.liveRegions -= 1
        extent.carvedBytes -= record.byteCount
        regions.give(id)
        liveRegionCount -= 1
        liveRegionBytes -= record.byteCount
        counters.batches += 1
        return true
    }

    /// The extent that a carved range lies in.
    func extent(of carver: Carver, at range: IOVARange) -> Extent {
        if let recent = carver.recentExtent, recent.range.contains(range) { return recent }
        guard let handle = space.entry(containing: range.first)?.handle,
            let extent = extent(handle), extent.range.contains(range)
        else { preconditionFailure("a carved range outside every extent") }
        carver.recentExtent = extent
        return extent
    }
}

extension Carver {
    /// Room in what is mapped, or nil: whatever is short, the long way finds out and says it.
    fileprivate func roomAtOnce(
        for byteCount: UInt64, _ wanted: AllocationOptions
    ) -> IOVAAllocation? {
        let placement: IOVAPlacement
        switch wanted.placement {
        case .anywhere: placement = .anywhere()
        case .within(let window): placement = .within(window)
        case .fixed, .identity: return nil
        }
        do throws(IOVASpaceError) {
            return try space.allocate(
                byteCount: byteCount, alignment: wanted.alignment, placement: placement)
        } catch {
            return nil
        }
    }
}
