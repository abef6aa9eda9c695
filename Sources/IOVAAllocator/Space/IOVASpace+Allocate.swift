extension IOVASpace {
    /// Hands out a range.
    ///
    /// - Parameters:
    ///   - byteCount: at least 1; rounded up to whole granules.
    ///   - alignment: a power of two up to 2^63; never less than the granule. A fixed placement
    ///     ignores it.
    ///   - placement: where.
    ///   - congruentTo: the address is equal to this modulo `alignment`: IOVA and memory address
    ///     alike modulo a large page, so that the IOMMU can use large pages. A whole number of
    ///     granules, or the request is refused; a fixed placement has no other use for it.
    /// - Throws: `.noSpace` only where no fitting hole exists; `.capacityExhausted`, or what is
    ///   wrong with the request. Nothing has changed then.
    /// - Complexity: O(log n); see `IntervalTree.lowestFit` for alignments between the classes.
    ///   `.bestFit` is O(n): subtrees without a hole large enough are passed over, and a hole of
    ///   exactly the size ends the search. Orders other than `.any` first give what the magazine
    ///   keeps back to the tree, O(k log n), so that they choose among all that is free.
    public mutating func allocate(
        byteCount: UInt64, alignment: UInt64 = 4096, placement: IOVAPlacement = .anywhere(),
        congruentTo: UInt64 = 0
    ) throws(IOVASpaceError) -> IOVAAllocation {
        let request = try request(byteCount, alignment, congruentTo)
        if case .anywhere(.any) = placement,
            let index = RangeClass.index(
                byteCount: request.byteCount, granuleShift: granuleShift)
        {
            if let cached = reuse(index, request) { return cached }
            if let fresh = refill(index, request) { return fresh }
        }
        return try allocateInTree(request, placement, congruentTo)
    }

    // Apart, so that what the magazine answers stays short.
    @inline(never)
    private mutating func allocateInTree(
        _ request: HoleRequest, _ placement: IOVAPlacement, _ congruentTo: UInt64
    ) throws(IOVASpaceError) -> IOVAAllocation {
        try requireGranules(congruentTo)
        guard let (wanted, order) = request.narrowed(to: placement) else {
            return try place(request.byteCount, placement, gaps: IOVAGuardGaps())
        }
        return hand(out: try search(wanted, order, entries: 1), request.byteCount)
    }

    /// What is asked of a hole, checked but for `congruentTo`: where that is not of whole granules
    /// the magazine has nothing that fits, so only a search has to look.
    @inline(__always)
    func request(
        _ byteCount: UInt64, _ alignment: UInt64, _ congruentTo: UInt64
    ) throws(IOVASpaceError) -> HoleRequest {
        let (padded, overflow) = byteCount.addingReportingOverflow(granule &- 1)
        guard byteCount > 0, !overflow else { throw .badSize(byteCount: byteCount) }
        guard alignment.nonzeroBitCount == 1 else { throw .badAlignment(alignment) }
        guard !isFull else { throw .capacityExhausted(regionCapacity: regionCapacity) }
        let step = Swift.max(alignment, granule)
        return HoleRequest(
            byteCount: padded & ~(granule &- 1), alignment: step,
            offset: congruentTo & (step &- 1))
    }

    func requireGranules(_ congruentTo: UInt64) throws(IOVASpaceError) {
        guard congruentTo & (granule - 1) == 0 else {
            throw .badCongruence(congruentTo, granule: granule)
        }
    }

    /// Asks the tree; what the magazine keeps goes back first where the request may need it.
    ///
    /// - Parameter entries: how many the caller is going to insert.
    mutating func search(
        _ request: HoleRequest, _ order: IOVASearchOrder, entries: Int
    ) throws(IOVASpaceError) -> IntervalTree.Fit {
        // The lowest, the highest and the best are so among all that is free.
        if order != .any { flushMagazine() }
        noteTightness()
        if let fit = try fit(request, order, entries) { return fit }
        if magazine.count > 0 {
            flushMagazine()
            if let fit = try fit(request, order, entries) { return fit }
        }
        throw .noSpace(
            byteCount: request.byteCount, alignment: request.alignment,
            largestHole: largestHole(alignment: request.alignment))
    }

    private mutating func fit(
        _ request: HoleRequest, _ order: IOVASearchOrder, _ entries: Int
    ) throws(IOVASpaceError) -> IntervalTree.Fit? {
        if !tree.hasRoom(for: entries &+ restoreDebt) {
            flushMagazine()
            guard tree.hasRoom(for: entries &+ restoreDebt) else {
                throw .entriesExhausted(entryCapacity: tree.entryCapacity)
            }
        }
        switch order {
        case .any, .lowest: return tree.lowestFit(request)
        case .highest: return tree.highestFit(request)
        case .bestFit: return tree.bestFit(request)
        }
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
}

extension HoleRequest {
    /// The request in a placement's window, and the order to search it in; nil where the place is
    /// fixed.
    @inline(__always)
    func narrowed(to placement: IOVAPlacement) -> (request: HoleRequest, order: IOVASearchOrder)? {
        switch placement {
        case .anywhere(let order):
            return (self, order)
        case .within(let window, let order):
            var request = self
            request.first = window.first.rawValue
            request.last = window.last.rawValue
            return (request, order)
        case .fixed:
            return nil
        }
    }
}
