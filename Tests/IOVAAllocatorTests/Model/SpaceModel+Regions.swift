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
            order == .lowest ? oracle.lowestFit(request) : oracle.highestFit(request)
        switch result {
        case .success(let allocation):
            count("\(order)")
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
        do {
            let range = try space.free(handle)
            count("free")
            guard let index, live[index].range == range else {
                throw Mismatch("freed \(range) by the handle of nothing or something else")
            }
            forget(live.remove(at: index))
        } catch let error as IOVASpaceError {
            count("stale handle")
            try require(index == nil && error == .noSuchRegion, "a live region: \(error)")
        } catch {
            throw error as? Mismatch ?? Mismatch("\(error)")
        }
    }

    mutating func free(at address: IOVA) throws(Mismatch) {
        let index = live.firstIndex { $0.range.first == address }
        do {
            let range = try space.free(startingAt: address)
            count("free by address")
            guard let index, live[index].range == range else {
                throw Mismatch("freed \(range) by \(address)")
            }
            forget(live.remove(at: index))
        } catch let error as IOVASpaceError {
            count("no region there")
            try require(index == nil && error == .noSuchRegion, "a live region: \(error)")
        } catch {
            throw error as? Mismatch ?? Mismatch("\(error)")
        }
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
