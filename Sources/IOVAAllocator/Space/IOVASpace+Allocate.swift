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
        guard !isFull else { throw .capacityExhausted(regionCapacity: regionCapacity) }
        let size = padded & ~(granule &- 1)
        let step = Swift.max(alignment, granule)
        let offset = congruentTo & (step &- 1) & ~(granule &- 1)
        let request = HoleRequest(byteCount: size, alignment: step, offset: offset)
        if case .anywhere(.any) = placement,
            let index = RangeClass.index(byteCount: size, granuleShift: granuleShift)
        {
            if let cached = reuse(index, request) { return cached }
            if let fresh = refill(index, request) { return fresh }
        }
        return try search(request, placement)
    }

    /// Asks the tree; what the magazine keeps goes back first where the request may need it.
    private mutating func search(
        _ wanted: HoleRequest, _ placement: IOVAPlacement
    ) throws(IOVASpaceError) -> IOVAAllocation {
        var request = wanted
        let order: IOVASearchOrder
        switch placement {
        case .anywhere(let wanted):
            order = wanted
        case .within(let window, let wanted):
            order = wanted
            request.first = window.first.rawValue
            request.last = window.last.rawValue
        case .fixed(let first, let overReservations):
            flushMagazine()
            return try place(
                request.byteCount, at: first, overReservations: overReservations)
        }
        // The lowest and the highest are so among all that is free.
        if order != .any { flushMagazine() }
        noteTightness()
        if let fit = try fit(request, order) { return hand(out: fit, request.byteCount) }
        if magazine.count > 0 {
            flushMagazine()
            if let fit = try fit(request, order) { return hand(out: fit, request.byteCount) }
        }
        throw .noSpace(
            byteCount: request.byteCount, alignment: request.alignment,
            largestHole: largestHole(alignment: request.alignment))
    }

    private mutating func fit(
        _ request: HoleRequest, _ order: IOVASearchOrder
    ) throws(IOVASpaceError) -> IntervalTree.Fit? {
        if !tree.hasRoom(for: 1 &+ restoreDebt) {
            flushMagazine()
            guard tree.hasRoom(for: 1 &+ restoreDebt) else {
                throw .entriesExhausted(entryCapacity: tree.entryCapacity)
            }
        }
        return order == .highest ? tree.highestFit(request) : tree.lowestFit(request)
    }

    @inline(__always)
    private mutating func hand(out fit: IntervalTree.Fit, _ size: UInt64) -> IOVAAllocation {
        let last = fit.address &+ (size &- 1)
        let link = RangeClass.index(byteCount: size, granuleShift: granuleShift).map {
            UInt32(truncatingIfNeeded: $0 &+ 1)
        }
        let handle = handles.take(first: fit.address, link: link ?? 0)
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
        guard tree.hasRoom(for: 1 + restoreDebt) else {
            throw .entriesExhausted(entryCapacity: tree.entryCapacity)
        }
        if meetsReservation {
            let debt = 2 * reservations.count(overlapping: range)
            guard tree.hasRoom(for: 2 + debt + restoreDebt) else {
                throw .entriesExhausted(entryCapacity: tree.entryCapacity)
            }
            cut(range)
            restoreDebt += debt
        }
        // Never cached: an address that was chosen is of no use to others.
        let handle = handles.take(first: range.first.rawValue, link: 0)
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
