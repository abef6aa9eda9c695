extension IOVASpace {
    /// What holds `address`, or nil where it is free.
    /// - Complexity: O(log n).
    public func entry(containing address: IOVA) -> IOVAEntry? {
        guard let cursor = tree.entry(containing: address.rawValue), !isCached(cursor) else {
            return nil
        }
        return entry(cursor)
    }

    /// What a handle names, live or quarantined; nil where it is stale. Never a guard gap.
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

    /// The bytes that the metadata in use occupies, or once occupied: nodes, slots and lists.
    public var metadataByteCount: Int {
        tree.leaves.touchedByteCount + tree.inners.touchedByteCount + handles.touchedByteCount
            + handles.homesByteCount + RangeMagazine.metadataByteCount
    }
}
