internal import HostMemory

// The short way for small regions: where a shared extent has room, nothing is mapped and nothing
// can have to be undone, so that no transaction is needed.

/// What is asked for, without anything that would be counted by reference. Filled in where it
/// stands, as what is returned is.
struct CarveRequest {
    /// Whole pages.
    var byteCount: UInt64 = 0
    var alignment: UInt64 = 4096
    var placement = IOVAPlacement.anywhere()
    /// See `CarverKey.code`.
    var code: UInt64 = 0
    var isUninitialised = false
    var tag = RegionTag.none

    /// False for a region that has a mapping of its own, or needs the long way, or can never be.
    mutating func fill(byteCount: Int, _ wanted: borrowing AllocationOptions) -> Bool {
        guard byteCount > 0, byteCount <= 1 << 46, wanted.alignment.nonzeroBitCount == 1,
            let code = CarverKey.code(wanted)
        else { return false }
        let size = (byteCount + 4095) & ~4095
        guard !wanted.needsOwnExtent(byteCount: size) else { return false }
        switch wanted.placement {
        case .anywhere: break
        case .within(let window): placement = .within(window)
        case .fixed, .identity: return false
        }
        self.byteCount = UInt64(size)
        alignment = max(wanted.alignment, 4096)
        self.code = code
        isUninitialised = wanted.isUninitialised
        tag = wanted.tag
        return true
    }
}

/// A region as its owner gets it, without a second look. Filled in where it stands, field by field:
/// to return it as a whole, through closures, cost a tenth of a carve.
struct CarvedRegion {
    var id = RegionID(table: 0, slot: 0, generation: 0)
    var first: UInt64 = 0
    var byteCount: UInt64 = 0
    var address: UInt = 0
    var access = DMAAccess.readWrite
    var memory: MemoryBox?
    /// Whether it shows an earlier owner's content, which is to be zeroed before it is handed out.
    var isUnclean = false
}

extension DomainState {
    /// A region from a shared extent that is mapped already, owned; false where there is none with
    /// room, or something else is short: then `commit` says what.
    ///
    /// - Complexity: O(1) where the carver's magazine has a range of the size, O(log n) otherwise.
    ///   No message, no system call, no allocation.
    mutating func carveAtOnce(
        _ wanted: borrowing CarveRequest, _ carved: inout CarvedRegion
    ) throws(DMAError) -> Bool {
        try requireOpen()
        let code = wanted.code
        guard let carver = carvers.first(where: { $0.code == code }),
            regions.count < regions.capacity, let place = carver.roomAtOnce(for: wanted)
        else { return false }
        let extent = extent(of: carver, at: place.range)
        let first = place.range.first.rawValue
        let offset = first - extent.range.first.rawValue
        let size = place.range.last.rawValue - first + 1
        let record = RegionRecord(
            state: .live, isOwned: true, access: extent.access, isCarved: true, tag: wanted.tag,
            first: first, byteCount: size, address: extent.address + UInt(offset),
            handle: place.handle, extentSlot: extent.handles[0].slot)
        guard let id = regions.take(record) else { preconditionFailure("counted just above") }
        carved.isUnclean = !wanted.isUninitialised && offset < extent.dirtyByteCount
        extent.dirtyByteCount = max(extent.dirtyByteCount, offset + size)
        extent.liveRegions += 1
        extent.carvedBytes += size
        liveRegionCount += 1
        liveRegionBytes += size
        if translation != nil { translate(record) }
        counters.batches += 1
        carved.id = id
        carved.first = first
        carved.byteCount = size
        carved.address = record.address
        carved.access = record.access
        carved.memory = extent.memory
        return true
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
    mutating func extent(of carver: Carver, at range: IOVARange) -> Extent {
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
    fileprivate func roomAtOnce(for wanted: borrowing CarveRequest) -> IOVAAllocation? {
        do throws(IOVASpaceError) {
            return try space.allocate(
                byteCount: wanted.byteCount, alignment: wanted.alignment,
                placement: wanted.placement)
        } catch {
            return nil
        }
    }
}
