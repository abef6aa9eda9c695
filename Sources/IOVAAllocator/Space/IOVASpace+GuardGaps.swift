/// Addresses beside a range that nothing else is placed in, so that a device that runs past the
/// range's end meets no mapping, and faults.
///
/// A gap behind a range catches what runs out of it upwards; to keep what runs out of the
/// neighbours away too, whose ranges may have no gaps, have one on each side.
public struct IOVAGuardGaps: Hashable, Sendable {
    /// In bytes; rounded up to whole granules.
    public var before: UInt64
    public var behind: UInt64

    public init(before: UInt64 = 0, behind: UInt64 = 0) {
        self.before = before
        self.behind = behind
    }

    /// A gap behind the range alone.
    public static func behind(_ guardByteCount: UInt64) -> IOVAGuardGaps {
        IOVAGuardGaps(behind: guardByteCount)
    }

    /// A gap on each side.
    public static func around(_ guardByteCount: UInt64) -> IOVAGuardGaps {
        IOVAGuardGaps(before: guardByteCount, behind: guardByteCount)
    }
}

extension IOVASpace {
    /// Hands out a range with guard gaps beside it, which are its own until it is freed.
    ///
    /// The range and its gaps lie in one hole, and in the window where there is one. A gap is an
    /// entry (`.guardGap`) with the region's handle: neither used nor free, closed to every
    /// placement, and gone with the region: out of quarantine only when that is released. Two
    /// neighbours' gaps lie side by side, none is shared. A fixed placement's gaps are placed as
    /// the range is: over reservations where it may lie over them.
    ///
    /// Each gap takes an entry of the tree, from `reservationCapacity`. A range with gaps is never
    /// kept for reuse by the magazine, nor taken from there.
    ///
    /// - Parameter byteCount: as in `allocate` without gaps.
    /// - Parameter alignment: as there.
    /// - Parameter placement: as there; the range alone is placed by it.
    /// - Parameter congruentTo: as there.
    /// - Parameter guardGaps: the gaps; where both are nothing this is `allocate` without them. The
    ///   other parameters are as there, and are about the range alone.
    /// - Throws: as there, with the bytes of the gaps counted in `.noSpace`; `.badGuardGaps` where
    ///   range and gaps together reach past the address space, or are 2^64 bytes.
    /// - Complexity: as there; O(n) at worst with a gap before the range and an alignment above the
    ///   granule, for which holes that are long enough are looked at one by one.
    public mutating func allocate(
        byteCount: UInt64, alignment: UInt64 = 4096, placement: IOVAPlacement = .anywhere(),
        congruentTo: UInt64 = 0, guardGaps: IOVAGuardGaps
    ) throws(IOVASpaceError) -> IOVAAllocation {
        if guardGaps == IOVAGuardGaps() {
            return try allocate(
                byteCount: byteCount, alignment: alignment, placement: placement,
                congruentTo: congruentTo)
        }
        let range = try request(byteCount, alignment, congruentTo)
        try requireGranules(congruentTo)
        guard let (gaps, sum) = wholeGranules(guardGaps, range.byteCount) else {
            throw .badGuardGaps(guardGaps, byteCount: byteCount)
        }
        var whole = range
        whole.byteCount = sum
        whole.offset = (range.offset &- gaps.before) & (range.alignment &- 1)
        guard let (wanted, order) = whole.narrowed(to: placement) else {
            return try place(range.byteCount, placement, gaps: gaps)
        }
        let count = 1 + (gaps.before > 0 ? 1 : 0) + (gaps.behind > 0 ? 1 : 0)
        let first = try search(wanted, order, entries: count).address + gaps.before
        let placed = IOVARange(first: first, last: first + (range.byteCount - 1))
        return insertRegion(placed, try Self.gapRanges(gaps, around: placed))
    }

    /// The gaps rounded up, and the bytes of a range with them; nil past 2^64-1.
    private func wholeGranules(
        _ gaps: IOVAGuardGaps, _ byteCount: UInt64
    ) -> (gaps: IOVAGuardGaps, sum: UInt64)? {
        let (before, first) = gaps.before.addingReportingOverflow(granule - 1)
        let (behind, second) = gaps.behind.addingReportingOverflow(granule - 1)
        guard !first, !second else { return nil }
        let whole = IOVAGuardGaps(before: before & ~(granule - 1), behind: behind & ~(granule - 1))
        let (partial, third) = byteCount.addingReportingOverflow(whole.before)
        let (sum, fourth) = partial.addingReportingOverflow(whole.behind)
        return third || fourth ? nil : (whole, sum)
    }

    /// Where gaps of whole granules lie.
    static func gapRanges(
        _ gaps: IOVAGuardGaps, around range: IOVARange
    ) throws(IOVASpaceError) -> (before: IOVARange?, behind: IOVARange?) {
        let (first, last) = (range.first.rawValue, range.last.rawValue)
        guard gaps.before <= first, gaps.behind <= .max - last else {
            throw .badGuardGaps(gaps, byteCount: range.byteCount ?? .max)
        }
        return (
            before: gaps.before > 0 ? IOVARange(first: first - gaps.before, last: first - 1) : nil,
            behind: gaps.behind > 0 ? IOVARange(first: last + 1, last: last + gaps.behind) : nil
        )
    }

    /// Inserts a region and its gaps where nothing is, and takes a handle for it.
    mutating func insertRegion(
        _ range: IOVARange, _ gaps: (before: IOVARange?, behind: IOVARange?)
    ) -> IOVAAllocation {
        // Never cached: an address that was chosen is of no use to others, and gaps go at once.
        let handle = handles.take(first: range.first.rawValue, link: 0)
        insertOwned(range, .region, handle.slot)
        usedBytes &+= range.last.rawValue &- range.first.rawValue &+ 1
        if let before = gaps.before { insertGap(before, handle.slot) }
        if let behind = gaps.behind { insertGap(behind, handle.slot) }
        return IOVAAllocation(range: range, handle: handle)
    }

    /// Inserts a range that has an owner, and sets aside the entries that freeing it may bring
    /// back.
    private mutating func insertOwned(
        _ range: IOVARange, _ kind: EntryTag.Kind, _ slot: UInt32
    ) {
        let meetsReservation = reservations.count(overlapping: range) > 0
        restoreDebt += reservations.debt(over: range)
        insert(range, EntryTag(kind, payload: slot, liesOverReservation: meetsReservation))
    }

    private mutating func insertGap(_ range: IOVARange, _ slot: UInt32) {
        insertOwned(range, .guardGap, slot)
        guardGapCount += 1
        guardBytes &+= range.last.rawValue &- range.first.rawValue &+ 1
    }

    /// Frees the gaps of the region that was in `slot` and has just been removed.
    mutating func releaseGaps(of slot: UInt32, around range: IOVARange) {
        if range.first.rawValue > 0 { releaseGap(of: slot, at: range.first.rawValue - 1) }
        if let behind = range.last.advanced(by: 1) { releaseGap(of: slot, at: behind.rawValue) }
    }

    private mutating func releaseGap(of slot: UInt32, at address: UInt64) {
        guard let found = tree.entry(containing: address), tree.tag(found).kind == .guardGap,
            tree.tag(found).payload == slot
        else { return }
        let gap = releaseOwned(tree.locate(address))
        guardGapCount -= 1
        guardBytes &-= gap.last.rawValue &- gap.first.rawValue &+ 1
    }
}
