extension IOVASpace {
    /// What holds `address`, or nil where it is free.
    /// - Complexity: O(log n).
    public func entry(containing address: IOVA) -> IOVAEntry? {
        guard let cursor = tree.entry(containing: address.rawValue), !isCached(cursor) else {
            return nil
        }
        return entry(cursor)
    }

    /// What a handle names, live or quarantined; nil where it is stale.
    /// - Complexity: O(log n).
    public func entry(_ handle: IOVAHandle) -> IOVAEntry? {
        guard let first = handles.first(handle) else { return nil }
        return entry(tree.find(first))
    }

    /// The first entry that shares an address with `range`, or nil where all of it is free.
    /// - Complexity: O(log n).
    public func firstOverlap(_ range: IOVARange) -> IOVAEntry? {
        var cursor = tree.firstOverlap(first: range.first.rawValue, last: range.last.rawValue)
        while let found = cursor, tree.first(found) <= range.last.rawValue {
            if !isCached(found) { return entry(found) }
            cursor = tree.next(after: found)
        }
        return nil
    }

    /// All entries in address order.
    /// - Complexity: O(n).
    public func forEachEntry(_ body: (IOVAEntry) -> Void) {
        forEachEntry(overlapping: .all, body)
    }

    /// The entries that share an address with `range`, in address order.
    /// - Complexity: O(log n) plus their number.
    public func forEachEntry(overlapping range: IOVARange, _ body: (IOVAEntry) -> Void) {
        var cursor = tree.firstOverlap(first: range.first.rawValue, last: range.last.rawValue)
        while let found = cursor, tree.first(found) <= range.last.rawValue {
            if !isCached(found) { body(entry(found)) }
            cursor = tree.next(after: found)
        }
    }

    /// All holes in address order: what is free, and as large as it goes.
    /// - Complexity: O(n).
    public func forEachHole(_ body: (IOVARange) -> Void) {
        guard cachedCount > 0 else { return forEachHole(overlapping: .all, body) }
        // Cached ranges join the holes around them.
        var first: UInt64 = 0
        var cursor = tree.next(after: tree.firstCursor)
        while let found = cursor {
            cursor = tree.next(after: found)
            if isCached(found) { continue }
            let next = tree.first(found)
            if next > first { body(IOVARange(first: first, last: next - 1)) }
            let (behind, overflow) = tree.last(found).addingReportingOverflow(1)
            if overflow { return }
            first = behind
        }
        body(IOVARange(first: first, last: .max))
    }

    /// The parts of the tree's holes that lie inside `range`, in address order.
    func forEachHole(overlapping range: IOVARange, _ body: (IOVARange) -> Void) {
        var cursor: IntervalTree.Cursor? = tree.find(range.first.rawValue)
        while let found = cursor {
            let leaf = tree.leaf(found.leaf)
            let first = max(leaf.holeFirst(found.index), range.first.rawValue)
            let last = min(leaf.holeLast(found.index), range.last.rawValue)
            if leaf.holeLength(found.index) > 0, first <= last {
                body(IOVARange(first: first, last: last))
            }
            cursor = tree.next(after: found)
            if let next = cursor, tree.first(next) > range.last.rawValue { return }
        }
    }

    /// The most bytes that one allocation at this alignment could have. For an empty space of 2^64
    /// bytes that is a granule less, as no request can name more.
    ///
    /// - Complexity: O(1) up to the granule and for 2 MiB and 1 GiB, O(n) for other alignments and
    ///   while the magazine keeps ranges.
    public func largestHole(alignment: UInt64 = 4096) -> UInt64 {
        precondition(alignment.nonzeroBitCount == 1, "an alignment is a power of two")
        let mask = ~(granule - 1)
        if cachedCount == 0 {
            if alignment <= granule { return tree.rootMaxima.page & mask }
            if alignment == HoleMaxima.hugeAlignment { return tree.rootMaxima.huge & mask }
            if alignment == HoleMaxima.giantAlignment { return tree.rootMaxima.giant & mask }
        }
        var largest: UInt64 = 0
        let step = max(alignment, granule)
        forEachHole { hole in
            let (count, overflow) = (hole.last.rawValue &- hole.first.rawValue)
                .addingReportingOverflow(1)
            let length = overflow ? .max : count
            let pad = (0 &- hole.first.rawValue) & (step - 1)
            if length > pad { largest = max(largest, length - pad) }
        }
        return largest & mask
    }

    /// The bytes that the metadata in use occupies, or once occupied.
    public var metadataByteCount: Int {
        tree.leaves.touchedByteCount + tree.inners.touchedByteCount + handles.touchedByteCount
    }

    /// What a correct space never shows, in words; nil where all invariants hold.
    ///
    /// For tests: it walks everything.
    /// - Complexity: O(n).
    public func invariantViolation() -> String? {
        if let problem = tree.invariantViolation() { return problem }
        var free: UInt64 = 0
        forEachHole { hole in free &+= hole.last.rawValue &- hole.first.rawValue &+ 1 }
        if free != freeBytes &+ cachedByteCount {
            return "\(free) free bytes, counted \(freeBytes) and \(cachedByteCount) cached"
        }
        if let problem = magazineViolation() { return problem }
        if tree.count + restoreDebt > tree.entryCapacity { return "frees may find no entries" }
        var check = SpaceCheck()
        forEachEntry { entry in check.visit(entry, handles, reservations) }
        if let problem = check.problem { return problem }
        if check.used != usedBytes &- lending.byteCount {
            return "\(check.used) used bytes, counted \(usedBytes), \(lending.byteCount) of it lent"
        }
        if check.regions != regionCount || check.quarantined != quarantinedCount {
            return "\(check.regions) regions, counted \(regionCount)"
        }
        return nil
    }
}

private struct SpaceCheck {
    var used: UInt64 = 0
    var regions = 0
    var quarantined = 0
    var problem: String?

    mutating func visit(
        _ entry: IOVAEntry, _ handles: borrowing HandleTable, _ reservations: [Reservation]
    ) {
        switch entry.kind {
        case .region:
            regions += 1
            used &+= entry.range.last.rawValue &- entry.range.first.rawValue &+ 1
        case .quarantined:
            quarantined += 1
        case .reserved:
            if reservations.count(overlapping: entry.range) == 0 {
                problem = "\(entry.range) is reserved for nobody"
            }
        case .unusable:
            break
        }
        if let handle = entry.handle, handles.first(handle) != entry.range.first.rawValue {
            problem = "the handle of \(entry.range) leads elsewhere"
        }
    }
}
