extension IOVASpace {
    /// Keeps the allocator from ever choosing an address in `range`.
    ///
    /// Reservations may overlap each other, and reach outside the usable ranges; they may not meet
    /// a live or quarantined region.
    ///
    /// - Complexity: O(log n) plus the square of the reservations that `range` meets.
    public mutating func reserve(
        _ range: IOVARange, fixedPlacement policy: ReservationPolicy
    ) throws(IOVASpaceError) {
        try requireGranules(range)
        if let met = firstRegion(overlapping: range) { throw .overlap(range, with: met) }
        let reservation = Reservation(range: range, policy: policy)
        let pieces = 2 * (reservations.count(overlapping: range) + 2)
        guard tree.hasRoom(for: pieces + restoreDebt) else {
            throw .entriesExhausted(entryCapacity: tree.entryCapacity)
        }
        reservations.append(reservation)
        rebuildReservations(around: range)
    }

    /// Withdraws one reservation of exactly `range` and `policy`.
    public mutating func cancelReservation(
        _ range: IOVARange, fixedPlacement policy: ReservationPolicy
    ) throws(IOVASpaceError) {
        let reservation = Reservation(range: range, policy: policy)
        guard let index = reservations.firstIndex(of: reservation) else {
            throw .noSuchReservation(range)
        }
        // Regions placed over it owe it nothing any more.
        var paid = 0
        forEachEntry(overlapping: range) { entry in
            if entry.handle != nil { paid += 2 }
        }
        restoreDebt -= paid
        reservations.remove(at: index)
        rebuildReservations(around: range)
    }

    /// Replaces the reserved entries that meet or touch `range` by the union of the reservations.
    private mutating func rebuildReservations(around range: IOVARange) {
        var first = range.first.rawValue
        var last = range.last.rawValue
        var stale: [UInt64] = []
        var cursor = tree.firstOverlap(first: first > 0 ? first - 1 : 0, last: last)
        while let found = cursor {
            let entryFirst = tree.first(found)
            guard entryFirst <= last || entryFirst - 1 == last else { break }
            if tree.tag(found).kind == .reserved {
                stale.append(entryFirst)
                first = min(first, entryFirst)
                last = max(last, tree.last(found))
            }
            cursor = tree.next(after: found)
        }
        for entryFirst in stale { removeEntry(startingAt: entryFirst) }
        restoreReservations(in: IOVARange(first: first, last: last))
    }

    /// Fills the holes inside `range` with what the reservations say.
    mutating func restoreReservations(in range: IOVARange) {
        guard !reservations.isEmpty else { return }
        var pieces: [Reservation] = []
        forEachHole(overlapping: range) { hole in
            pieces += reservations.pieces(inside: hole)
        }
        for piece in pieces {
            insert(piece.range, EntryTag(.reserved, payload: piece.policy.rawValue))
        }
    }

    func requireGranules(_ range: IOVARange) throws(IOVASpaceError) {
        let mask = granule - 1
        guard range.first.rawValue & mask == 0, (range.last.rawValue &+ 1) & mask == 0 else {
            throw .misaligned(range, granule: granule)
        }
    }

    /// The first region, live or quarantined, that meets `range`.
    func firstRegion(overlapping range: IOVARange) -> IOVAEntry? {
        var cursor = tree.firstOverlap(first: range.first.rawValue, last: range.last.rawValue)
        while let found = cursor, tree.first(found) <= range.last.rawValue {
            let kind = tree.tag(found).kind
            if kind == .region || kind == .quarantined { return entry(found) }
            cursor = tree.next(after: found)
        }
        return nil
    }
}
