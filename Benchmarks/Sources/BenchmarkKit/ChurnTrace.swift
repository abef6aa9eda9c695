/// One step of a churn: free the victim slot's region, allocate `pages` into the same slot.
public struct TraceStep: Hashable, Sendable {
    public let victim: UInt32
    public let pages: UInt32
}

/// A workload drawn before any clock runs, 8 bytes a step, streamed while it does.
public struct ChurnTrace: Sendable {
    /// Pages of each slot's first region.
    public let fill: [UInt32]
    public let steps: [TraceStep]
    /// The size of the address range that the workload runs in.
    public let rangeByteCount: UInt64

    public var fillByteCount: UInt64 {
        fill.reduce(0) { $0 + RegionShape.byteCount(pages: $1) }
    }

    /// W1: every step draws a victim and a size; the range of 2^46 bytes is never short.
    public static func sparse(slots: Int, steps: Int, seed: UInt64) -> ChurnTrace {
        var generator = SplitMix64(seed: seed)
        let fill = (0..<slots).map { _ in mixedPageCount(generator.next()) }
        let drawn = (0..<steps).map { _ in
            let victim = pick(generator.next(), below: slots)
            return TraceStep(victim: UInt32(victim), pages: mixedPageCount(generator.next()))
        }
        return ChurnTrace(fill: fill, steps: drawn, rangeByteCount: 1 << 46)
    }

    /// W2: a step allocates the size that the step before it freed, so that the live bytes stay at
    /// 80 % of the range for ever. The first step's size is one draw more than the fill's.
    public static func tight(slots: Int, steps: Int, seed: UInt64) -> ChurnTrace {
        var generator = SplitMix64(seed: seed)
        let fill = (0..<slots).map { _ in mixedPageCount(generator.next()) }
        var pending = mixedPageCount(generator.next())
        let live = fill.reduce(RegionShape.byteCount(pages: pending)) {
            $0 + RegionShape.byteCount(pages: $1)
        }
        var held = fill
        let drawn = (0..<steps).map { _ in
            let victim = pick(generator.next(), below: slots)
            let step = TraceStep(victim: UInt32(victim), pages: pending)
            pending = held[victim]
            held[victim] = step.pages
            return step
        }
        return ChurnTrace(fill: fill, steps: drawn, rangeByteCount: tightRange(liveByteCount: live))
    }

    private static func tightRange(liveByteCount: UInt64) -> UInt64 {
        let unit = RegionShape.largeAlignment
        let range = UInt64(Double(liveByteCount) / 0.8 + Double(unit))
        return range / unit * unit
    }
}

/// A random order of `0..<count`: Fisher and Yates, from the end down.
func shuffledOrder(count: Int, seed: UInt64) -> [Int] {
    var generator = SplitMix64(seed: seed)
    var order = Array(0..<count)
    for remaining in stride(from: count, to: 0, by: -1) {
        order.swapAt(remaining - 1, pick(generator.next(), below: remaining))
    }
    return order
}
