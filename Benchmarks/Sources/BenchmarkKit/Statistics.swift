internal import Histogram

/// Percentiles of single measurements, in nanoseconds, the clock's own cost included.
public struct Percentiles: Hashable, Sendable {
    public let p50: Double
    public let p99: Double
    public let p999: Double
    public let max: Double

    /// Through an HDR histogram of ticks with three significant digits; the maximum is exact.
    /// Nil where nothing was measured.
    public init?(ticks: [UInt64], clock: TickClock) {
        guard let longest = ticks.max() else { return nil }
        var histogram = Histogram<UInt64>(
            lowestDiscernibleValue: 1, highestTrackableValue: Swift.max(longest, 2),
            numberOfSignificantValueDigits: .three)
        for tick in ticks {
            let recorded = histogram.record(tick)
            precondition(recorded, "the histogram covers up to the longest measurement")
        }
        p50 = clock.nanoseconds(histogram.valueAtPercentile(50))
        p99 = clock.nanoseconds(histogram.valueAtPercentile(99))
        p999 = clock.nanoseconds(histogram.valueAtPercentile(99.9))
        max = clock.nanoseconds(longest)
    }
}

/// Blocks of equally many operations, timed as wholes: the figure free of the clock's own cost.
struct BlockTimes {
    private(set) var medianNs: Double
    private(set) var meanNs: Double

    /// Nanoseconds per operation. Nil where no block was timed.
    init?(ticks: [UInt64], operationsPerBlock: Int, clock: TickClock) {
        guard !ticks.isEmpty else { return nil }
        let perTick = clock.nanosecondsPerTick / Double(operationsPerBlock)
        medianNs = median(ticks.map { Double($0) * perTick })
        meanNs = Double(ticks.reduce(0, &+)) * perTick / Double(ticks.count)
    }
}

/// The middle value, or the mean of the two middle ones.
/// - Precondition: `values` is not empty.
func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
