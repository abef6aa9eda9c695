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

    /// W1: every step draws a victim and a size; the range is never short.
    public static func sparse(
        slots: Int, steps: Int, seed: UInt64, sizes: SizeDistribution = .mixed
    ) -> ChurnTrace {
        var generator = SplitMix64(seed: seed)
        let fill = (0..<slots).map { _ in sizes.pageCount(generator.next(), step: 0, of: steps) }
        let drawn = (0..<steps).map { step in
            let victim = pick(generator.next(), below: slots)
            let pages = sizes.pageCount(generator.next(), step: step, of: steps)
            return TraceStep(victim: UInt32(victim), pages: pages)
        }
        return ChurnTrace(fill: fill, steps: drawn, rangeByteCount: sizes.sparseByteCount)
    }

    /// W2: the live bytes take 80 % of the range.
    ///
    /// A step allocates the size that the step before it freed, so that the live bytes stay the
    /// same for ever; the first step's size is one draw more than the fill's. Sizes that drift are
    /// W1's instead, in a range that is 80 % full when the live bytes are at their peak.
    public static func tight(
        slots: Int, steps: Int, seed: UInt64, sizes: SizeDistribution = .mixed
    ) -> ChurnTrace {
        guard sizes != .drift else {
            let trace = sparse(slots: slots, steps: steps, seed: seed, sizes: sizes)
            return ChurnTrace(
                fill: trace.fill, steps: trace.steps,
                rangeByteCount: tightRange(liveByteCount: trace.peakByteCount))
        }
        var generator = SplitMix64(seed: seed)
        let fill = (0..<slots).map { _ in sizes.pageCount(generator.next(), step: 0, of: steps) }
        var pending = sizes.pageCount(generator.next(), step: 0, of: steps)
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

    /// The most bytes that are live at once where no allocation fails.
    var peakByteCount: UInt64 {
        var held = fill
        var live = fillByteCount
        var peak = live
        for step in steps {
            live -= RegionShape.byteCount(pages: held[Int(step.victim)])
            live += RegionShape.byteCount(pages: step.pages)
            held[Int(step.victim)] = step.pages
            peak = max(peak, live)
        }
        return peak
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
