extension IOVASpace {
    /// Makes a range usable: memory that has just been mapped, say, and is now carved.
    ///
    /// Ranges that touch are one from then on: a hole, and a placement, may reach across.
    ///
    /// - Throws: `.alreadyUsable` where part of it is usable already; `.entriesExhausted` only
    ///   where what is then unusable and reserved takes more entries than there are, those not
    ///   counted that freeing the live regions may bring back.
    /// - Complexity: O(log n) plus the square of the reservations that `range` meets.
    public mutating func addUsable(_ range: IOVARange) throws(IOVASpaceError) {
        try requireGranules(range)
        guard let cursor = tree.entry(containing: range.first.rawValue),
            tree.tag(cursor).kind == .unusable, tree.last(cursor) >= range.last.rawValue
        else {
            throw .alreadyUsable(range, met: firstUsable(in: range))
        }
        let (first, last) = (tree.first(cursor), tree.last(cursor))
        let (stale, span) = takeReserved(around: range)
        removeEntry(startingAt: first)
        let pieces = reservedPieces(in: span)
        let sidesCount =
            (first < range.first.rawValue ? 1 : 0) + (last > range.last.rawValue ? 1 : 0)
        guard tree.hasRoom(for: sidesCount + pieces.count + restoreDebt) else {
            insert(stale)
            insert(IOVARange(first: first, last: last), EntryTag(.unusable))
            throw .entriesExhausted(entryCapacity: tree.entryCapacity)
        }
        insert(pieces)
        if first < range.first.rawValue {
            insert(
                IOVARange(first: first, last: range.first.rawValue - 1), EntryTag(.unusable))
        }
        if last > range.last.rawValue {
            insert(IOVARange(first: range.last.rawValue + 1, last: last), EntryTag(.unusable))
        }
        if !hasByteLimit { magazine.byteLimit += share(range) }
    }

    /// What the magazine may keep of a usable range, in bytes.
    private func share(_ range: IOVARange) -> UInt64 {
        (range.last.rawValue - range.first.rawValue) / 32
    }

    /// Takes a wholly free range out of the space again: a range that was added, part of one, or
    /// parts of several that touch. Reservations in it stay on record for when it comes back.
    ///
    /// - Throws: `.overlap` where a region is live or in quarantine there, or a guard gap;
    ///   `.unusable` where part of the range was not usable; `.entriesExhausted` only where what is
    ///   then unusable and reserved takes more entries than there are, as for `addUsable`.
    /// - Complexity: O(log n) plus the reservations in `range`, and what the magazine gives back.
    public mutating func withdrawUsable(_ range: IOVARange) throws(IOVASpaceError) {
        try requireGranules(range)
        flushMagazine()
        if let met = firstRegion(overlapping: range) { throw .overlap(range, with: met) }
        var cursor = tree.firstOverlap(first: range.first.rawValue, last: range.last.rawValue)
        while let found = cursor, tree.first(found) <= range.last.rawValue {
            if tree.tag(found).kind == .unusable { throw .unusable(range, with: entry(found)) }
            cursor = tree.next(after: found)
        }
        let before = unusableEntry(at: range.first.rawValue.subtractingReportingOverflow(1))
        let behind = unusableEntry(at: range.last.rawValue.addingReportingOverflow(1))
        let joinedCount = (before == nil ? 0 : 1) + (behind == nil ? 0 : 1)
        guard tree.hasRoom(for: max(1 + cutBalance(range) - joinedCount, 0) + restoreDebt) else {
            throw .entriesExhausted(entryCapacity: tree.entryCapacity)
        }
        cut(range)
        if !hasByteLimit { magazine.byteLimit -= min(magazine.byteLimit, share(range)) }
        if let before { removeEntry(startingAt: before.first.rawValue) }
        if let behind { removeEntry(startingAt: behind.first.rawValue) }
        insert(
            IOVARange(first: before?.first ?? range.first, last: behind?.last ?? range.last),
            EntryTag(.unusable))
    }

    /// The unusable entry that holds an address; nil where another or none does, or where there is
    /// no such address.
    private func unusableEntry(
        at address: (partialValue: UInt64, overflow: Bool)
    ) -> IOVARange? {
        guard !address.overflow, let found = tree.entry(containing: address.partialValue),
            tree.tag(found).kind == .unusable
        else { return nil }
        return IOVARange(first: tree.first(found), last: tree.last(found))
    }

    /// The first part of `range` that is usable; there is one.
    private func firstUsable(in range: IOVARange) -> IOVARange {
        var first = range.first.rawValue
        var cursor = tree.firstOverlap(first: first, last: range.last.rawValue)
        while let found = cursor, tree.first(found) <= range.last.rawValue {
            if tree.tag(found).kind == .unusable {
                if tree.first(found) > first {
                    return IOVARange(first: first, last: tree.first(found) - 1)
                }
                // Not the last address: the range has a usable one behind this entry.
                first = tree.last(found) + 1
            }
            cursor = tree.next(after: found)
        }
        return IOVARange(first: IOVA(first), last: range.last)
    }
}
