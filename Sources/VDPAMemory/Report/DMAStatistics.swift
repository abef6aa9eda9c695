internal import VhostVDPA

/// What a domain holds and what it has done: one consistent look.
public struct DMAStatistics: Hashable, Sendable {
    /// Live regions.
    public let regions: Int
    /// Mappings that live regions are part of, and empty shared ones kept for reuse.
    public let extents: Int
    /// Bytes of live regions.
    public let regionBytes: UInt64
    /// Bytes that the device can reach, quarantine included.
    public let mappedBytes: UInt64
    /// Freed but not yet confirmed unmapped.
    public let quarantinedExtents: Int
    /// The bytes of these.
    public let quarantinedBytes: UInt64
    /// Entries of the kernel's table in use in the fullest address space: at least, at most.
    public let entriesAtLeast: Int
    /// See `entriesAtLeast`.
    public let entriesAtMost: Int
    /// IOTLB messages that the kernel has taken, undone ones included.
    public let updateMessages: UInt64
    /// INVALIDATEs that the kernel has taken.
    public let invalidateMessages: UInt64
    /// BATCH_BEGIN and BATCH_END.
    public let batchMessages: UInt64
    /// Changes that were asked for: a call of `batch`, or one operation by itself.
    public let batches: UInt64
    /// Those of them that were refused, and taken back.
    public let failedBatches: UInt64
    /// How often quarantine was emptied.
    public let flushes: UInt64
    /// Regions whose free was refused: they are in quarantine.
    public let failedFrees: UInt64
    /// Mappings that a device may lack since an undo that failed; `remap()` repairs them.
    public let lostExtents: UInt64
    /// Freed mappings that a device wrote to before they were unmapped: see
    /// `DMADomainOptions.detectsWritesAfterFree`.
    public let writesAfterFree: UInt64
    /// Nanoseconds spent on the memory of what was mapped: had from the kernel, populated, its nodes
    /// verified.
    public let populationNanoseconds: UInt64
    /// Free bytes of the IOVA space, saturated at 2^64-1, and the largest hole.
    public let freeBytes: UInt64
    /// The most bytes that one placement could have.
    public let largestHoleBytes: UInt64

    /// All IOTLB messages.
    public var messages: UInt64 { updateMessages + invalidateMessages + batchMessages }

    init(_ state: borrowing DomainState) {
        let live = state.liveExtents()
        regions = state.liveRegionCount
        extents = live.count
        regionBytes = state.liveRegionBytes
        mappedBytes = live.reduce(state.quarantinedBytes) { $0 + $1.byteCount }
        quarantinedExtents = state.quarantine.count
        quarantinedBytes = state.quarantinedBytes
        entriesAtLeast = state.targets.map(\.entries.lower).max() ?? 0
        entriesAtMost = state.targets.map(\.entries.upper).max() ?? 0
        var messages = IOTLBMessageCounts()
        for target in state.targets { messages.add(target.messages) }
        updateMessages = messages.updates
        invalidateMessages = messages.invalidates
        batchMessages = messages.batchBegins + messages.batchEnds
        batches = state.counters.batches
        failedBatches = state.counters.failedBatches
        flushes = state.counters.flushes
        failedFrees = state.counters.failedFrees
        lostExtents = state.counters.lostExtents
        writesAfterFree = state.counters.writesAfterFree
        populationNanoseconds = state.counters.populationNanoseconds
        freeBytes = state.space.freeByteCount
        largestHoleBytes = state.space.largestHole()
    }
}

extension IOTLBMessageCounts {
    fileprivate mutating func add(_ other: IOTLBMessageCounts) {
        updates += other.updates
        invalidates += other.invalidates
        batchBegins += other.batchBegins
        batchEnds += other.batchEnds
    }
}
