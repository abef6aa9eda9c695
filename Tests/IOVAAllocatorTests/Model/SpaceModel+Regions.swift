import IOVAAllocator
import TestSupport

extension SpaceModel {
    mutating func allocate(
        _ byteCount: UInt64, _ alignment: UInt64, _ placement: IOVAPlacement,
        _ congruentTo: UInt64
    ) throws(Mismatch) {
        let result: Result<IOVAAllocation, IOVASpaceError>
        do {
            result = .success(
                try space.allocate(
                    byteCount: byteCount, alignment: alignment, placement: placement,
                    congruentTo: congruentTo))
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
        let size = (byteCount + (granule - 1)) / granule * granule
        if case .fixed(let first, let over) = placement {
            try checkFixed(result, size, first, over)
        } else {
            try checkSearch(result, size, max(alignment, granule), placement, congruentTo)
        }
        if case .success(let allocation) = result { record(allocation) }
    }

    private mutating func checkFixed(
        _ result: Result<IOVAAllocation, IOVASpaceError>, _ size: UInt64, _ first: IOVA,
        _ over: Bool
    ) throws(Mismatch) {
        guard let range = IOVARange(first: first, byteCount: size) else {
            count("fixed wraps")
            try require(
                result == .failure(.badSize(byteCount: size)), "\(size) at \(first): \(result)")
            return
        }
        let beyond = !oracle.span.contains(range.raw.upperBound)
        let obstacle = oracle.obstacle(range.raw, overReservations: over)
        switch result {
        case .success(let allocation):
            count("fixed")
            try require(
                obstacle == nil && !beyond && allocation.range == range,
                "placed at \(allocation.range) for \(range) over \(String(describing: obstacle))")
        case .failure(.overlap(range, let met)):
            count("fixed overlap")
            try require(
                obstacle.map { isSame(met, $0) && $0.kind != .unusable } ?? false,
                "refused for \(met), not \(String(describing: obstacle))")
        case .failure(.unusable(range, let met)):
            count("fixed unusable")
            let isRight = obstacle.map { isSame(met, $0) && $0.kind == .unusable } ?? beyond
            try require(isRight, "refused for \(met), not \(String(describing: obstacle))")
        case .failure(let error):
            throw Mismatch("a fixed placement at \(range) answered \(error)")
        }
    }

    private mutating func checkSearch(
        _ result: Result<IOVAAllocation, IOVASpaceError>, _ size: UInt64, _ step: UInt64,
        _ placement: IOVAPlacement, _ congruentTo: UInt64
    ) throws(Mismatch) {
        var window: ClosedRange<UInt64> = 0...UInt64.max
        var order = IOVASearchOrder.lowest
        switch placement {
        case .anywhere(let wanted): order = wanted
        case .within(let range, let wanted): (window, order) = (range.raw, wanted)
        case .fixed: break
        }
        let request = OracleRequest(
            byteCount: size, alignment: step,
            offset: (congruentTo & (step - 1)) / granule * granule, window: window)
        let expected =
            order == .highest ? oracle.highestFit(request) : oracle.lowestFit(request)
        switch result {
        case .success(let allocation) where order == .any:
            count("any")
            try checkAny(allocation.range, request, fits: expected != nil)
        case .success(let allocation):
            // Spelt out: interpolating an enumeration is slow.
            count(order == .lowest ? "lowest" : order == .highest ? "highest" : "\(order)")
            try require(
                allocation.range.first.rawValue == expected
                    && allocation.range.byteCount == size,
                "\(request) \(order): \(allocation.range), not \(String(describing: expected))"
            )
        case .failure(.noSpace(size, step, let largest)):
            count("noSpace")
            try require(expected == nil, "\(request) fits at \(String(describing: expected))")
            try require(
                largest == largestHole(step), "largest hole \(largest), not \(largestHole(step))")
        case .failure(let error):
            throw Mismatch("\(request) answered \(error)")
        }
    }

    /// Whichever place it is: free, aligned, in the window, and as large as asked.
    private func checkAny(
        _ range: IOVARange, _ request: OracleRequest, fits: Bool
    ) throws(Mismatch) {
        try require(
            fits && range.byteCount == request.byteCount
                && (range.first.rawValue &- request.offset) & (request.alignment - 1) == 0
                && request.window.contains(range.first.rawValue)
                && request.window.contains(range.last.rawValue)
                && oracle.obstacle(range.raw, overReservations: false) == nil,
            "\(request) was placed at \(range)")
    }

    /// The oracle's largest aligned size, in whole granules.
    func largestHole(_ alignment: UInt64) -> UInt64 {
        var largest: UInt128 = 0
        for hole in oracle.holes() {
            let step = UInt128(alignment)
            let start = (UInt128(hole.lowerBound) + step - 1) / step * step
            let end = UInt128(hole.upperBound) + 1
            if end > start { largest = max(largest, end - start) }
        }
        return UInt64(min(largest, UInt128(UInt64.max))) / granule * granule
    }

    mutating func free(_ handle: IOVAHandle) throws(Mismatch) {
        let index = live.firstIndex { $0.handle == handle }
        var refusal: IOVASpaceError?
        var freed: IOVARange?
        do { freed = try space.free(handle) } catch { refusal = error }
        guard let index else {
            count("stale handle")
            try require(refusal == .noSuchRegion, "freed what does not live: \((freed, refusal))")
            return
        }
        count("free")
        try require(freed == live[index].range, "a live region was freed as \((freed, refusal))")
        forget(live.remove(at: index))
    }

    mutating func free(at address: IOVA) throws(Mismatch) {
        let index = live.firstIndex { $0.range.first == address }
        var refusal: IOVASpaceError?
        var freed: IOVARange?
        do { freed = try space.free(startingAt: address) } catch { refusal = error }
        guard let index else {
            count("no region there")
            try require(
                refusal == .noSuchRegion, "freed nothing at \(address): \((freed, refusal))")
            return
        }
        count("free by address")
        try require(freed == live[index].range, "\(address) was freed as \((freed, refusal))")
        forget(live.remove(at: index))
    }

    mutating func quarantine(_ handle: IOVAHandle) throws(Mismatch) {
        let index = live.firstIndex { $0.handle == handle }
        var refusal: IOVASpaceError?
        do { try space.quarantine(handle) } catch { refusal = error }
        guard let index else {
            try require(refusal == .noSuchRegion, "quarantined what does not live")
            return
        }
        count("quarantine")
        try require(refusal == nil, "a live region was not quarantined")
        oracle.quarantine(id: ids[handle] ?? -1)
        quarantined.append(live.remove(at: index))
    }

    mutating func release(_ handle: IOVAHandle) throws(Mismatch) {
        let index = quarantined.firstIndex { $0.handle == handle }
        var refusal: IOVASpaceError?
        var released: IOVARange?
        do { released = try space.releaseQuarantined(handle) } catch { refusal = error }
        guard let index else {
            try require(refusal == .noSuchRegion, "released what was not in quarantine")
            return
        }
        count("release")
        try require(
            released == quarantined[index].range, "released \(String(describing: released))")
        forget(quarantined.remove(at: index))
    }
}
