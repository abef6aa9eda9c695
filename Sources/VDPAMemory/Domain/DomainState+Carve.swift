internal import HostMemory

// The short way for small regions: where a shared extent has room, nothing is mapped and nothing
// can have to be undone, so that no transaction is needed.

/// What is asked for, without anything that would be counted by reference.
struct CarveRequest {
    /// Whole pages.
    let byteCount: UInt64
    let alignment: UInt64
    let placement: IOVAPlacement
    /// See `CarverKey.code`.
    let code: UInt64
    let isUninitialised: Bool
    let tag: RegionTag

    /// nil for a region that has a mapping of its own, or needs the long way, or can never be.
    init?(byteCount: Int, _ wanted: borrowing AllocationOptions) {
        guard byteCount > 0, byteCount <= 1 << 46, wanted.alignment.nonzeroBitCount == 1,
            let code = CarverKey.code(wanted)
        else { return nil }
        let size = (byteCount + 4095) & ~4095
        guard !wanted.needsOwnExtent(byteCount: size) else { return nil }
        switch wanted.placement {
        case .anywhere: placement = .anywhere()
        case .within(let window): placement = .within(window)
        case .fixed, .identity: return nil
        }
        self.byteCount = UInt64(size)
        alignment = max(wanted.alignment, 4096)
        self.code = code
        isUninitialised = wanted.isUninitialised
        tag = wanted.tag
    }
}

/// A region as its owner gets it, without a second look.
struct CarvedRegion {
    let id: RegionID
    let range: IOVARange
    let address: UInt
    let access: DMAAccess
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
    mutating func carveAtOnce(_ wanted: CarveRequest) throws(DMAError) -> CarvedRegion? {
        try requireOpen()
        guard let carver = carvers.first(where: { $0.code == wanted.code }),
            regions.count < regions.capacity, let place = carver.roomAtOnce(for: wanted)
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
                tag: wanted.tag, first: place.range.first.rawValue, byteCount: size,
                address: address,
                handle: place.handle, extentSlot: extent.handles[0].slot)
        }
        liveRegionCount += 1
        liveRegionBytes += size
        if translation != nil, let record = regions.record(id) { translate(record) }
        counters.batches += 1
        return CarvedRegion(
            id: id, range: place.range, address: address, access: extent.access,
            memory: extent.memory, isUnclean: isUnclean)
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
        translation?.remove(record)
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
    fileprivate func roomAtOnce(for wanted: CarveRequest) -> IOVAAllocation? {
        do throws(IOVASpaceError) {
            return try space.allocate(
                byteCount: wanted.byteCount, alignment: wanted.alignment,
                placement: wanted.placement)
        } catch {
            return nil
        }
    }
}
