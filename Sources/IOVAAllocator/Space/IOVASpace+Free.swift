extension IOVASpace {
    /// Frees a region by its handle; the range, and its guard gaps, are free for reuse at once.
    ///
    /// - Returns: the range that was freed.
    /// - Throws: `.noSuchRegion` for a stale or foreign handle, or one in quarantine.
    /// - Complexity: O(1) where the magazine keeps the range, O(log n) otherwise. Never needs
    ///   memory.
    @discardableResult
    @inline(__always)
    public mutating func free(_ handle: IOVAHandle) throws(IOVASpaceError) -> IOVARange {
        guard handles.isInUse(handle) else { throw .noSuchRegion }
        if let range = keep(handle.slot) { return range }
        return try freeInTree(handle)
    }

    private mutating func freeInTree(_ handle: IOVAHandle) throws(IOVASpaceError) -> IOVARange {
        let cursor = try locate(handle, .region)
        return release(cursor)
    }

    /// Frees the region that starts at `first`.
    @discardableResult
    public mutating func free(startingAt first: IOVA) throws(IOVASpaceError) -> IOVARange {
        let cursor = tree.locate(first.rawValue)
        let tag = tree.tag(cursor)
        guard tag.kind == .region, tree.first(cursor) == first.rawValue,
            !handles.isCached(tag.payload)
        else { throw .noSuchRegion }
        return try free(handles.handle(ofSlot: tag.payload))
    }

    /// Takes a region from its owner without freeing its range, because a device may still reach
    /// it. The handle then serves `releaseQuarantined` alone; guard gaps stay until then.
    ///
    /// - Complexity: O(log n).
    public mutating func quarantine(_ handle: IOVAHandle) throws(IOVASpaceError) {
        let cursor = try locate(handle, .region)
        let tag = tree.tag(cursor)
        handles.setLink(ofSlot: tag.payload, 0)
        tree.setTag(
            cursor,
            EntryTag(
                .quarantined, payload: tag.payload, liesOverReservation: tag.liesOverReservation))
        let bytes = tree.last(cursor) &- tree.first(cursor) &+ 1
        usedBytes &-= bytes
        quarantinedBytes &+= bytes
        quarantinedCount += 1
    }

    /// Frees a quarantined range once no device can reach it any more.
    ///
    /// - Complexity: O(log n).
    @discardableResult
    public mutating func releaseQuarantined(
        _ handle: IOVAHandle
    ) throws(IOVASpaceError) -> IOVARange {
        let cursor = try locate(handle, .quarantined)
        let bytes = tree.last(cursor) &- tree.first(cursor) &+ 1
        quarantinedCount -= 1
        quarantinedBytes &-= bytes
        usedBytes &+= bytes
        return release(cursor)
    }

    @inline(__always)
    private mutating func locate(
        _ handle: IOVAHandle, _ kind: EntryTag.Kind
    ) throws(IOVASpaceError) -> IntervalTree.Cursor {
        guard let first = handles.first(handle) else { throw .noSuchRegion }
        let cursor = tree.locate(first)
        guard tree.tag(cursor).kind == kind else { throw .noSuchRegion }
        assert(tree.first(cursor) == first && tree.tag(cursor).payload == handle.slot)
        return cursor
    }

    @inline(__always)
    private mutating func release(_ cursor: IntervalTree.Cursor) -> IOVARange {
        let slot = tree.tag(cursor).payload
        let range = releaseOwned(cursor)
        usedBytes &-= range.last.rawValue &- range.first.rawValue &+ 1
        handles.give(slot)
        if guardGapCount > 0 { releaseGaps(of: slot, around: range) }
        return range
    }

    /// Removes an entry that has an owner, and brings back the reservations that it lay over.
    @inline(__always)
    mutating func releaseOwned(_ cursor: IntervalTree.Cursor) -> IOVARange {
        let tag = tree.tag(cursor)
        let range = IOVARange(first: tree.first(cursor), last: tree.last(cursor))
        remove(cursor, first: range.first.rawValue, last: range.last.rawValue)
        if tag.liesOverReservation {
            restoreDebt -= reservations.debt(over: range)
            restoreReservations(in: range)
        }
        return range
    }
}
