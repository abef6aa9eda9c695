extension IOVASpace {
    /// Makes a range usable: memory that has just been mapped, say, and is now carved.
    ///
    /// - Throws: `.overlap` where part of it is usable already.
    /// - Complexity: O(log n).
    public mutating func addUsable(_ range: IOVARange) throws(IOVASpaceError) {
        try requireGranules(range)
        guard let cursor = tree.entry(containing: range.first.rawValue),
            tree.tag(cursor).kind == .unusable, tree.last(cursor) >= range.last.rawValue
        else {
            throw .overlap(range, with: firstUsable(in: range))
        }
        let debt = 2 * reservations.count(overlapping: range)
        guard tree.hasRoom(for: 2 + debt + restoreDebt) else {
            throw .entriesExhausted(entryCapacity: tree.entryCapacity)
        }
        cut(range)
        if !hasByteLimit { magazine.byteLimit += share(range) }
        restoreReservations(in: range)
    }

    /// What the magazine may keep of a usable range, in bytes.
    private func share(_ range: IOVARange) -> UInt64 {
        (range.last.rawValue - range.first.rawValue) / 32
    }

    /// Takes a wholly free range out of the space again.
    ///
    /// - Throws: `.overlap` where a region is live or in quarantine there, `.unusable` where part
    ///   of the range was not usable.
    /// - Complexity: O(log n).
    public mutating func withdrawUsable(_ range: IOVARange) throws(IOVASpaceError) {
        try requireGranules(range)
        flushMagazine()
        if let met = firstRegion(overlapping: range) { throw .overlap(range, with: met) }
        var cursor = tree.firstOverlap(first: range.first.rawValue, last: range.last.rawValue)
        while let found = cursor, tree.first(found) <= range.last.rawValue {
            if tree.tag(found).kind == .unusable { throw .unusable(range, with: entry(found)) }
            cursor = tree.next(after: found)
        }
        guard tree.hasRoom(for: 2 + restoreDebt) else {
            throw .entriesExhausted(entryCapacity: tree.entryCapacity)
        }
        cut(range)
        if !hasByteLimit { magazine.byteLimit -= min(magazine.byteLimit, share(range)) }
        var first = range.first.rawValue
        var last = range.last.rawValue
        if first > 0, let before = tree.entry(containing: first - 1),
            tree.tag(before).kind == .unusable
        {
            first = tree.first(before)
            removeEntry(startingAt: first)
        }
        if last < .max, let behind = tree.entry(containing: last + 1),
            tree.tag(behind).kind == .unusable
        {
            last = tree.last(behind)
            removeEntry(startingAt: tree.first(behind))
        }
        insert(IOVARange(first: first, last: last), EntryTag(.unusable))
    }

    /// Something usable in `range`, for an error's sake: an entry, or the hole as a region's stead.
    private func firstUsable(in range: IOVARange) -> IOVAEntry {
        var found = IOVAEntry(range: range, kind: .unusable, handle: nil)
        forEachEntry(overlapping: range) { entry in
            if entry.kind != .unusable { found = entry }
        }
        return found
    }
}
