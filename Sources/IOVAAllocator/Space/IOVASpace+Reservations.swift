extension IOVASpace {
    /// Keeps the allocator from ever choosing an address in `range`.
    ///
    /// Reservations may overlap each other, and reach outside the usable ranges; they may not meet
    /// a live or quarantined region or its guard gap.
    ///
    /// - Complexity: O(log n) plus the square of the reservations that `range` meets.
    public mutating func reserve(
        _ range: IOVARange, fixedPlacement policy: ReservationPolicy
    ) throws(IOVASpaceError) {
        try requireGranules(range)
        flushMagazine()
        if let met = firstRegion(overlapping: range) { throw .overlap(range, with: met) }
        reservations.append(Reservation(range: range, policy: policy))
        guard rebuildReservationsIfRoom(around: range) else {
            reservations.removeLast()
            throw .entriesExhausted(entryCapacity: tree.entryCapacity)
        }
    }

    /// Withdraws one reservation of exactly `range` and `policy`.
    ///
    /// - Throws: `.noSuchReservation`; `.entriesExhausted` where what other reservations hold of
    ///   the range is in more pieces than there are entries left for.
    public mutating func cancelReservation(
        _ range: IOVARange, fixedPlacement policy: ReservationPolicy
    ) throws(IOVASpaceError) {
        let reservation = Reservation(range: range, policy: policy)
        guard let index = reservations.firstIndex(of: reservation) else {
            throw .noSuchReservation(range)
        }
        flushMagazine()
        // Regions placed over it owe it nothing any more.
        let before = ownedDebt(in: range)
        reservations.remove(at: index)
        let paid = before - ownedDebt(in: range)
        restoreDebt -= paid
        guard rebuildReservationsIfRoom(around: range) else {
            restoreDebt += paid
            reservations.insert(reservation, at: index)
            throw .entriesExhausted(entryCapacity: tree.entryCapacity)
        }
    }

    /// The entries that freeing what is owned in `range` may bring back.
    func ownedDebt(in range: IOVARange) -> Int {
        var debt = 0
        forEachEntry(overlapping: range) { entry in
            if entry.handle != nil { debt += reservations.debt(over: entry.range) }
        }
        return debt
    }

    /// Replaces the reserved entries that meet or touch `range` by the union of the reservations,
    /// or answers false and leaves them as they are where the union has too many pieces.
    private mutating func rebuildReservationsIfRoom(around range: IOVARange) -> Bool {
        let (stale, span) = takeReserved(around: range)
        let pieces = reservedPieces(in: span)
        let hasRoom = tree.hasRoom(for: pieces.count + restoreDebt)
        insert(hasRoom ? pieces : stale)
        return hasRoom
    }

    /// Fills the holes in `range` with what the reservations say, as one with the reserved entries
    /// that it touches: pieces never pile up, however often a region comes and goes.
    mutating func restoreReservations(in range: IOVARange) {
        guard !reservations.isEmpty else { return }
        let (_, span) = takeReserved(around: range)
        insert(reservedPieces(in: span))
    }

    /// Takes out the reserved entries that meet or touch `range`; `span` is what they and the
    /// range reach over.
    mutating func takeReserved(
        around range: IOVARange
    ) -> (taken: [Reservation], span: IOVARange) {
        var first = range.first.rawValue
        var last = range.last.rawValue
        var taken: [Reservation] = []
        var cursor = tree.firstOverlap(
            first: first > 0 ? first - 1 : 0, last: last < .max ? last + 1 : last)
        while let found = cursor {
            let entryFirst = tree.first(found)
            guard entryFirst <= last || entryFirst - 1 == last else { break }
            if case .reserved(let policy) = entry(found).kind {
                let range = IOVARange(first: entryFirst, last: tree.last(found))
                taken.append(Reservation(range: range, policy: policy))
                first = min(first, entryFirst)
                last = max(last, tree.last(found))
            }
            cursor = tree.next(after: found)
        }
        for piece in taken { removeEntry(startingAt: piece.range.first.rawValue) }
        return (taken, IOVARange(first: first, last: last))
    }

    func reservedPieces(in span: IOVARange) -> [Reservation] {
        var pieces: [Reservation] = []
        forEachHole(overlapping: span) { hole in
            pieces += reservations.pieces(inside: hole)
        }
        return pieces
    }

    mutating func insert(_ pieces: [Reservation]) {
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

    /// The first region, live or quarantined, or guard gap that meets `range`.
    func firstRegion(overlapping range: IOVARange) -> IOVAEntry? {
        var cursor = tree.firstOverlap(first: range.first.rawValue, last: range.last.rawValue)
        while let found = cursor, tree.first(found) <= range.last.rawValue {
            switch tree.tag(found).kind {
            case .region, .quarantined, .guardGap: return entry(found)
            case .reserved, .unusable, .sentinel: break
            }
            cursor = tree.next(after: found)
        }
        return nil
    }
}
