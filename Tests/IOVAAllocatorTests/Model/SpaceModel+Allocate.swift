import IOVAAllocator
import TestSupport

extension SpaceModel {
    mutating func allocate(
        _ byteCount: UInt64, _ alignment: UInt64, _ placement: IOVAPlacement,
        _ congruentTo: UInt64, _ wantedGaps: IOVAGuardGaps
    ) throws(Mismatch) {
        let result: Result<IOVAAllocation, IOVASpaceError>
        do {
            result = .success(
                try space.allocate(
                    byteCount: byteCount, alignment: alignment, placement: placement,
                    congruentTo: congruentTo, guardGaps: wantedGaps))
        } catch {
            if isExpectedExhaustion(error) { return }
            result = .failure(error)
        }
        if live.count + quarantined.count == regionCapacity {
            count("capacityExhausted")
            try require(
                result == .failure(.capacityExhausted(regionCapacity: regionCapacity)),
                "a full space answered \(result)")
            return
        }
        if congruentTo % granule != 0 {
            count("bad congruence")
            try require(
                result == .failure(.badCongruence(congruentTo, granule: granule)),
                "congruent to \(congruentTo): \(result)")
            return
        }
        let size = wholeGranules(byteCount)
        let gaps = IOVAGuardGaps(
            before: wholeGranules(wantedGaps.before), behind: wholeGranules(wantedGaps.behind))
        if case .fixed(let first, let over) = placement {
            try checkFixed(result, size, first, over, gaps, wantedGaps)
        } else {
            try checkSearch(
                result, placement,
                OracleRequest(
                    byteCount: size, alignment: max(alignment, granule), offset: congruentTo,
                    before: gaps.before, behind: gaps.behind))
        }
        if case .success(let allocation) = result { record(allocation, gaps) }
    }

    private func wholeGranules(_ byteCount: UInt64) -> UInt64 {
        (byteCount + (granule - 1)) / granule * granule
    }

    private mutating func checkFixed(
        _ result: Result<IOVAAllocation, IOVASpaceError>, _ size: UInt64, _ first: IOVA,
        _ over: Bool, _ gaps: IOVAGuardGaps, _ wanted: IOVAGuardGaps
    ) throws(Mismatch) {
        guard let placed = IOVARange(first: first, byteCount: size) else {
            count("fixed wraps")
            // With gaps it may be their sum that is looked at first.
            if gaps != IOVAGuardGaps(), case .failure(.badGuardGaps) = result { return }
            try require(
                result == .failure(.badSize(byteCount: size)), "\(size) at \(first): \(result)")
            return
        }
        let (low, isBelow) = first.rawValue.subtractingReportingOverflow(gaps.before)
        let (high, isAbove) = placed.last.rawValue.addingReportingOverflow(gaps.behind)
        let whole = UInt128(size) + UInt128(gaps.before) + UInt128(gaps.behind)
        if isBelow || isAbove || whole >= UInt128(1) << 64 {
            count("fixed gaps wrap")
            // As asked for where the sum wraps, rounded where it is the place that does not hold
            // it.
            if case .failure(.badGuardGaps(let named, _)) = result {
                try require(named == wanted || named == gaps, "\(placed): \(result)")
                return
            }
            throw Mismatch("\(placed): \(result)")
        }
        let range = IOVARange(first: low, last: high)
        let beyond = !oracle.span.contains(low) || !oracle.span.contains(high)
        let obstacle = oracle.obstacle(range.raw, overReservations: over)
        switch result {
        case .success(let allocation):
            count(gaps == IOVAGuardGaps() ? "fixed" : "fixed with gaps")
            try require(
                obstacle == nil && !beyond && allocation.range == placed,
                "placed at \(allocation.range) for \(range) over \(String(describing: obstacle))")
        case .failure(.overlap(range, let met)):
            count("fixed overlap")
            try require(
                obstacle.map { isSame(met, $0) && $0.kind != .unusable } ?? false,
                "refused for \(met), not \(String(describing: obstacle))")
        case .failure(.unusable(range, let met)):
            count("fixed unusable")
            let isRight = obstacle.map { isSame(met, $0) && $0.kind == .unusable } ?? beyond
            // Below the oracle's addresses nothing is usable either, and comes first.
            try require(
                isRight || !oracle.span.contains(low),
                "refused for \(met), not \(String(describing: obstacle))")
        case .failure(let error):
            throw Mismatch("a fixed placement at \(range) answered \(error)")
        }
    }

    private mutating func checkSearch(
        _ result: Result<IOVAAllocation, IOVASpaceError>, _ placement: IOVAPlacement,
        _ wanted: OracleRequest
    ) throws(Mismatch) {
        var request = wanted
        var order = IOVASearchOrder.lowest
        switch placement {
        case .anywhere(let wanted): order = wanted
        case .within(let range, let wanted): (request.window, order) = (range.raw, wanted)
        case .fixed: break
        }
        let expected = fit(request, order)
        switch result {
        case .success(let allocation) where order == .any:
            count("any")
            try checkAny(allocation.range, request, fits: expected != nil)
        case .success(let allocation):
            count(request.before + request.behind == 0 ? "\(order)" : "\(order) with gaps")
            try require(
                allocation.range.first.rawValue == expected
                    && allocation.range.byteCount == request.byteCount,
                "\(request) \(order): \(allocation.range), not \(String(describing: expected))"
            )
        case .failure(.noSpace(let total, request.alignment, let largest)):
            count(order == .bestFit ? "no best fit" : "noSpace")
            try require(expected == nil, "\(request) fits at \(String(describing: expected))")
            try require(
                total == request.byteCount + request.before + request.behind,
                "\(request) was refused as \(total) bytes")
            let known = largestHole(request.alignment)
            try require(largest == known, "largest hole \(largest), not \(known)")
        case .failure(.badGuardGaps):
            count("bad gaps")
            let total =
                UInt128(request.byteCount) + UInt128(request.before) + UInt128(request.behind)
            try require(total > UInt128(UInt64.max), "\(request) was refused for its gaps")
        case .failure(let error):
            throw Mismatch("\(request) answered \(error)")
        }
    }

    private func fit(_ request: OracleRequest, _ order: IOVASearchOrder) -> UInt64? {
        switch order {
        case .any, .lowest: oracle.lowestFit(request)
        case .highest: oracle.highestFit(request)
        case .bestFit: oracle.bestFit(request)
        }
    }

    /// Whichever place it is: free, aligned, in the window with its gaps, and as large as asked.
    private func checkAny(
        _ range: IOVARange, _ request: OracleRequest, fits: Bool
    ) throws(Mismatch) {
        try require(
            fits && range.byteCount == request.byteCount
                && (range.first.rawValue &- request.offset) & (request.alignment - 1) == 0
                && range.first.rawValue >= request.before
                && range.last.rawValue <= .max - request.behind,
            "\(request) was placed at \(range)")
        let low = range.first.rawValue - request.before
        let high = range.last.rawValue + request.behind
        try require(
            request.window.contains(low) && request.window.contains(high)
                && oracle.entries(meeting: low...high).isEmpty,
            "\(request) was placed at \(range)")
    }

    /// The oracle's largest aligned size, in whole granules.
    func largestHole(_ alignment: UInt64) -> UInt64 { largest(oracle.holes(), alignment) }

    func largest(_ holes: [ClosedRange<UInt64>], _ alignment: UInt64) -> UInt64 {
        var largest: UInt128 = 0
        for hole in holes {
            let step = UInt128(alignment)
            let start = (UInt128(hole.lowerBound) + step - 1) / step * step
            let end = UInt128(hole.upperBound) + 1
            if end > start { largest = max(largest, end - start) }
        }
        return UInt64(min(largest, UInt128(UInt64.max))) / granule * granule
    }
}
