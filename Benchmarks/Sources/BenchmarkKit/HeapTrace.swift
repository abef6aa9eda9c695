/// Sizes of the suite `heap`, in units of 64 bytes: five of eight draws 1, the others 2 to 16.
public func smallUnitCount(_ draw: UInt64) -> UInt32 {
    let part = (draw >> 32) % 80
    return part < 50 ? 1 : UInt32(2 + (draw & 0xFFFF_FFFF) % 15)
}

/// What the suite `heap` asks for.
enum HeapTrace {
    static let unitByteCount = 64

    /// W2 with small sizes: a step asks for the size that the step before it gave back. The range
    /// is what the live bytes fill to 80 %.
    static func tight(slots: Int, steps: Int, seed: UInt64) -> ChurnTrace {
        var generator = SplitMix64(seed: seed)
        let fill = (0..<slots).map { _ in smallUnitCount(generator.next()) }
        var pending = smallUnitCount(generator.next())
        let live = fill.reduce(UInt64(pending)) { $0 + UInt64($1) }
        var held = fill
        let drawn = (0..<steps).map { _ in
            let victim = pick(generator.next(), below: slots)
            let step = TraceStep(victim: UInt32(victim), pages: pending)
            pending = held[victim]
            held[victim] = step.pages
            return step
        }
        return ChurnTrace(
            fill: fill, steps: drawn,
            rangeByteCount: UInt64(Double(live * UInt64(unitByteCount)) / 0.8))
    }
}
