extension IOVASpace {
    /// Hands out a range.
    ///
    /// - Parameters:
    ///   - byteCount: at least 1; rounded up to whole granules.
    ///   - alignment: a power of two up to 2^63; never less than the granule. A fixed placement
    ///     ignores it.
    ///   - placement: where.
    ///   - congruentTo: the address is equal to this modulo `alignment`: IOVA and memory address
    ///     alike modulo a large page, so that the IOMMU can use large pages. Whole granules.
    /// - Throws: `.noSpace` only where no fitting hole exists; `.capacityExhausted`, or what is
    ///   wrong with the request. Nothing has changed then.
    /// - Complexity: O(log n); see `IntervalTree.lowestFit` for alignments between the classes.
    public mutating func allocate(
        byteCount: UInt64, alignment: UInt64 = 4096, placement: IOVAPlacement = .anywhere(),
        congruentTo: UInt64 = 0
    ) throws(IOVASpaceError) -> IOVAAllocation {
        let (padded, overflow) = byteCount.addingReportingOverflow(granule &- 1)
        guard byteCount > 0, !overflow else { throw .badSize(byteCount: byteCount) }
        guard alignment.nonzeroBitCount == 1 else { throw .badAlignment(alignment) }
        guard !handles.isFull else {
            throw .capacityExhausted(regionCapacity: handles.capacity)
        }
        guard tree.hasRoom(for: 1 &+ restoreDebt) else {
            throw .entriesExhausted(entryCapacity: tree.entryCapacity)
        }
        let size = padded & ~(granule &- 1)
        let step = Swift.max(alignment, granule)
        let offset = congruentTo & (step &- 1) & ~(granule &- 1)
        var request = HoleRequest(byteCount: size, alignment: step, offset: offset)
        let order: IOVASearchOrder
        switch placement {
        case .anywhere(let wanted):
            order = wanted
        case .within(let window, let wanted):
            order = wanted
            request.first = window.first.rawValue
            request.last = window.last.rawValue
        case .fixed(let first, let overReservations):
            return try place(size, at: first, overReservations: overReservations)
        }
        let found =
            order == .lowest ? tree.lowestFit(request) : tree.highestFit(request)
        guard let fit = found else {
            throw .noSpace(
                byteCount: size, alignment: step, largestHole: largestHole(alignment: step))
        }
        return hand(out: fit, size)
    }

    @inline(__always)
    private mutating func hand(out fit: IntervalTree.Fit, _ size: UInt64) -> IOVAAllocation {
        let last = fit.address &+ (size &- 1)
        let handle = handles.take(first: fit.address)
        tree.insert(
            first: fit.address, last: last, tag: EntryTag(.region, payload: handle.slot),
            behind: fit.cursor)
        freeBytes &-= size
        usedBytes &+= size
        return IOVAAllocation(
            range: IOVARange(first: fit.address, last: last), handle: handle)
    }

    /// A fixed placement: over holes, and over reservations where their policy or the caller
    /// allows it.
    private mutating func place(
        _ size: UInt64, at first: IOVA, overReservations: Bool
    ) throws(IOVASpaceError) -> IOVAAllocation {
        guard let range = IOVARange(first: first, byteCount: size) else {
            throw .badSize(byteCount: size)
        }
        guard first.isAligned(to: granule) else { throw .misaligned(range, granule: granule) }
        var meetsReservation = false
        var cursor = tree.firstOverlap(first: range.first.rawValue, last: range.last.rawValue)
        while let found = cursor, tree.first(found) <= range.last.rawValue {
            let met = entry(found)
            switch met.kind {
            case .reserved(.placeable):
                meetsReservation = true
            case .reserved(.guarded):
                guard overReservations else { throw .overlap(range, with: met) }
                meetsReservation = true
            case .unusable:
                throw .unusable(range, with: met)
            case .region, .quarantined:
                throw .overlap(range, with: met)
            }
            cursor = tree.next(after: found)
        }
        if meetsReservation {
            let debt = 2 * reservations.count(overlapping: range)
            guard tree.hasRoom(for: 2 + debt + restoreDebt) else {
                throw .entriesExhausted(entryCapacity: tree.entryCapacity)
            }
            cut(range)
            restoreDebt += debt
        }
        let handle = handles.take(first: range.first.rawValue)
        insert(
            range,
            EntryTag(.region, payload: handle.slot, liesOverReservation: meetsReservation))
        usedBytes &+= size
        return IOVAAllocation(range: range, handle: handle)
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
