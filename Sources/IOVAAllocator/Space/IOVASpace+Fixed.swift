// Fixed placements, and whatever else takes exact addresses out of the space.

extension IOVASpace {
    /// A fixed placement: over holes, and over reservations where their policy or the caller
    /// allows it. Gaps are of whole granules, and are placed as the range is.
    mutating func place(
        _ size: UInt64, _ placement: IOVAPlacement, gaps: IOVAGuardGaps
    ) throws(IOVASpaceError) -> IOVAAllocation {
        guard case .fixed(let first, let overReservations) = placement else {
            preconditionFailure("only a fixed placement comes here")
        }
        guard let range = IOVARange(first: first, byteCount: size) else {
            throw .badSize(byteCount: size)
        }
        guard first.isAligned(to: granule) else { throw .misaligned(range, granule: granule) }
        let gaps = try Self.gapRanges(gaps, around: range)
        let whole = IOVARange(
            first: gaps.before?.first ?? range.first, last: gaps.behind?.last ?? range.last)
        flushMagazine()
        try requirePlaceable(whole, overReservations: overReservations)
        let pieces = [gaps.before, range, gaps.behind].compactMap { $0 }
        let debt = pieces.reduce(0) { $0 + reservations.debt(over: $1) }
        guard tree.hasRoom(for: max(pieces.count + cutBalance(whole), 0) + debt + restoreDebt)
        else { throw .entriesExhausted(entryCapacity: tree.entryCapacity) }
        cut(whole)
        return insertRegion(range, gaps)
    }

    /// Refuses a range that meets anything but holes and the reservations that it may lie over.
    private func requirePlaceable(
        _ range: IOVARange, overReservations: Bool
    ) throws(IOVASpaceError) {
        var cursor = tree.firstOverlap(first: range.first.rawValue, last: range.last.rawValue)
        while let found = cursor, tree.first(found) <= range.last.rawValue {
            let met = entry(found)
            switch met.kind {
            case .reserved(.placeable):
                break
            case .reserved(.guarded):
                guard overReservations else { throw .overlap(range, with: met) }
            case .unusable:
                throw .unusable(range, with: met)
            case .region, .quarantined, .guardGap:
                throw .overlap(range, with: met)
            }
            cursor = tree.next(after: found)
        }
    }

    /// How many more entries there are after `cut`; fewer, where it is negative.
    func cutBalance(_ range: IOVARange) -> Int {
        var balance = 0
        var cursor = tree.firstOverlap(first: range.first.rawValue, last: range.last.rawValue)
        while let found = cursor, tree.first(found) <= range.last.rawValue {
            balance -= 1
            if tree.first(found) < range.first.rawValue { balance += 1 }
            if tree.last(found) > range.last.rawValue { balance += 1 }
            cursor = tree.next(after: found)
        }
        return balance
    }

    /// Takes `range` out of the entries that meet it; what sticks out on either side stays.
    mutating func cut(_ range: IOVARange) {
        let (first, last) = (range.first.rawValue, range.last.rawValue)
        while let cursor = tree.firstOverlap(first: first, last: last) {
            let tag = tree.tag(cursor)
            let entryFirst = tree.first(cursor)
            let entryLast = tree.last(cursor)
            removeEntry(startingAt: entryFirst)
            if entryFirst < first {
                insert(IOVARange(first: entryFirst, last: first - 1), tag)
            }
            if entryLast > last {
                insert(IOVARange(first: last + 1, last: entryLast), tag)
            }
        }
    }
}
