internal import HostMemory

/// What a batch is about to do: placed in the space, not yet told to any device.
///
/// Everything in it can be taken back by `DomainState.abort`; nothing of it is visible before
/// `DomainState.publish`.
struct MapTransaction {
    /// Whether shared extents are to be no larger than they must: something is short.
    var isTight = false
    /// Memory that was had for its shared extents.
    var supply = ExtentSupply()
    /// New extents, in the order in which they were planned.
    var newExtents: [Extent] = []
    /// Regions that were placed.
    var placed: [RegionID] = []
    var freed: [RegionID] = []
    /// Extents whose last region the batch frees.
    var retiring: [Extent] = []
    /// What has made way for a placement that the caller chose.
    var yielded: [YieldedExtent] = []
    /// Extents to be unmapped by it: the retiring ones, or quarantine that it flushes.
    var unmapped: [Extent] = []
    /// Freed extents that wait in quarantine instead.
    var deferred: [Extent] = []
    /// Carved bytes that show an earlier owner's content, to be zeroed before they are published.
    var unclean: [(address: UInt, byteCount: Int)] = []
    /// Bytes that the batch still has to carve, per kind: extents are made large enough for all.
    var carvedBytesToCome = CarvedBytes()

    /// Once for all of them: for each run by itself, what is there would be moved each time.
    mutating func reserveCapacity(for operations: [BatchOperation]) {
        var (placing, freeing) = (0, 0)
        for operation in operations {
            if operation.isFree { freeing += operation.count } else { placing += operation.count }
        }
        placed.reserveCapacity(placing)
        freed.reserveCapacity(freeing)
    }

    func newEntries(_ target: MappingTarget) -> EntryBounds {
        newExtents.reduce(into: EntryBounds(lower: 0, upper: 0)) { $0 += target.entries(of: $1) }
    }

    func unmappedEntries(_ target: MappingTarget) -> EntryBounds {
        unmapped.reduce(into: EntryBounds(lower: 0, upper: 0)) { $0 += target.entries(of: $1) }
    }

    var newBytes: UInt64 { newExtents.reduce(0) { $0 + $1.byteCount } }
    var unmappedBytes: UInt64 { unmapped.reduce(0) { $0 + $1.byteCount } }

    /// The messages: one per new extent, one per run of dead neighbours.
    ///
    /// - Parameter unmapFirst: whether what goes must make room for what comes. Otherwise it goes
    ///   last, because taking back an unmap is the one step of an undo that may itself fail.
    func messages(unmapFirst: Bool) -> [MapMessage] {
        let maps = newExtents.map { MapMessage.map($0) }
        let unmaps = MapTransaction.unmaps(of: unmapped)
        return unmapFirst ? unmaps + maps : maps + unmaps
    }

    /// Dead extents, neighbours joined.
    static func unmaps(of extents: [Extent]) -> [MapMessage] {
        var result: [MapMessage] = []
        var run: [Extent] = []
        var range: IOVARange?
        for extent in extents.sorted(by: { $0.range.first < $1.range.first }) {
            if let open = range, open.isFollowed(by: extent.range) {
                range = IOVARange(first: open.first, last: extent.range.last)
                run.append(extent)
            } else {
                if let open = range { result.append(.unmap(open, run)) }
                range = extent.range
                run = [extent]
            }
        }
        if let open = range { result.append(.unmap(open, run)) }
        return result
    }
}
