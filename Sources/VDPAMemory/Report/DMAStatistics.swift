internal import VhostVDPA

/// What a domain holds and what it has done: one consistent look.
public struct DMAStatistics: Hashable, Sendable {
    /// Live regions.
    public internal(set) var regions: Int = 0
    /// Mappings that live regions are part of, and empty shared ones kept for reuse.
    public internal(set) var extents: Int = 0
    /// Bytes of live regions.
    public internal(set) var regionBytes: UInt64 = 0
    /// Bytes that the device can reach, quarantine included.
    public internal(set) var mappedBytes: UInt64 = 0
    /// Freed but not yet confirmed unmapped.
    public internal(set) var quarantinedExtents: Int = 0
    /// The bytes of these.
    public internal(set) var quarantinedBytes: UInt64 = 0
    /// Entries of the kernel's table in use in the fullest address space: at least, at most.
    public internal(set) var entriesAtLeast: Int = 0
    /// See `entriesAtLeast`.
    public internal(set) var entriesAtMost: Int = 0
    /// IOTLB messages that the kernel has taken since the domain was made, undone ones and those of
    /// devices that have left included.
    public internal(set) var updateMessages: UInt64 = 0
    /// INVALIDATEs that the kernel has taken.
    public internal(set) var invalidateMessages: UInt64 = 0
    /// BATCH_BEGIN and BATCH_END.
    public internal(set) var batchMessages: UInt64 = 0
    /// Changes that were asked for: a call of `batch`, or one operation by itself.
    public internal(set) var batches: UInt64 = 0
    /// Those of them that were refused, and taken back.
    public internal(set) var failedBatches: UInt64 = 0
    /// How often quarantine was emptied.
    public internal(set) var flushes: UInt64 = 0
    /// Regions whose free was refused: they are in quarantine.
    public internal(set) var failedFrees: UInt64 = 0
    /// Mappings that a device may lack since an undo that failed; `remap()` repairs them.
    public internal(set) var lostExtents: UInt64 = 0
    /// Freed mappings that a device wrote to before they were unmapped: see
    /// `DMADomainOptions.detectsWritesAfterFree`.
    public internal(set) var writesAfterFree: UInt64 = 0
    /// Nanoseconds spent on the memory of what was mapped: had from the kernel, populated, its
    /// nodes verified.
    public internal(set) var populationNanoseconds: UInt64 = 0
    /// Free bytes of the IOVA space, saturated at 2^64-1, and the largest hole.
    public internal(set) var freeBytes: UInt64 = 0
    /// The most bytes that one placement could have.
    public internal(set) var largestHoleBytes: UInt64 = 0

    /// All IOTLB messages.
    public var messages: UInt64 { updateMessages + invalidateMessages + batchMessages }

    /// Of a domain that holds nothing.
    init() {}

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
        var messages = state.retiredMessages
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
    mutating func add(_ other: IOTLBMessageCounts) {
        updates += other.updates
        invalidates += other.invalidates
        batchBegins += other.batchBegins
        batchEnds += other.batchEnds
    }
}
