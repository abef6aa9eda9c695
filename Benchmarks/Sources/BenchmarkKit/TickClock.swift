internal import CBenchmark

/// The processor's tick counter, calibrated once against CLOCK_MONOTONIC_RAW.
///
/// Figures contain the cost of reading it. Nothing is subtracted: the reference row `timer` says
/// what an empty measurement takes.
public struct TickClock: Sendable {
    public let nanosecondsPerTick: Double

    /// Takes 50 ms.
    public static func calibrated() -> TickClock {
        let startNs = cbench_monotonic_ns()
        let startTicks = cbench_ticks_begin()
        var nowNs = startNs
        while nowNs - startNs < 50_000_000 { nowNs = cbench_monotonic_ns() }
        let ticks = cbench_ticks_end() - startTicks
        return TickClock(nanosecondsPerTick: Double(nowNs - startNs) / Double(ticks))
    }

    public func nanoseconds(_ ticks: UInt64) -> Double { Double(ticks) * nanosecondsPerTick }

    public func ticks(seconds: Double) -> UInt64 { UInt64(seconds * 1e9 / nanosecondsPerTick) }

    /// Nanoseconds that `body` took.
    func time(_ body: () throws -> Void) rethrows -> Double {
        let start = cbench_ticks_begin()
        try body()
        return nanoseconds(cbench_ticks_end() - start)
    }
}
