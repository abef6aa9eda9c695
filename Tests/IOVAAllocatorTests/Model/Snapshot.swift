import IOVAAllocator

/// All that can be seen of a space, to compare before and after.
struct Snapshot: Equatable {
    var entries: [IOVAEntry] = []
    var holes: [IOVARange] = []
    var free: UInt64
    var used: UInt64
    var regions: Int
    var violation: String?

    init(_ space: borrowing IOVASpace) {
        var entries: [IOVAEntry] = []
        var holes: [IOVARange] = []
        space.forEachEntry { entries.append($0) }
        space.forEachHole { holes.append($0) }
        free = space.freeByteCount
        used = space.usedByteCount
        regions = space.regionCount
        violation = space.invariantViolation()
        self.entries = entries
        self.holes = holes
    }
}
