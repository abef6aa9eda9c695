internal import Foundation
internal import Histogram

/// Percentiles of single measurements, in nanoseconds, the clock's own cost included.
public struct Percentiles: Hashable, Sendable {
    public let p50: Double
    public let p99: Double
    public let p999: Double
    public let max: Double
    /// From the fastest to the slowest.
    public let curve: [PercentilePoint]

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
        curve = PercentilePoint.percentiles.map { percentile in
            PercentilePoint(
                percentile: percentile,
                ns: percentile == 100
                    ? clock.nanoseconds(longest)
                    : clock.nanoseconds(histogram.valueAtPercentile(percentile)))
        }
    }
}

/// One point of a latency curve; in JSON a pair, `[99.9, 120.5]`.
public struct PercentilePoint: Hashable, Sendable, Encodable {
    public let percentile: Double
    public let ns: Double

    static let percentiles: [Double] = [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 100]

    public func encode(to encoder: any Encoder) throws {
        var pair = encoder.unkeyedContainer()
        try pair.encode(percentile)
        try pair.encode(ns)
    }

    /// Where it is drawn: each further nine is one step to the right, and the maximum one more.
    static func position(_ percentile: Double) -> Double {
        percentile >= 100 ? 5 : -log10(1 - percentile / 100)
    }

    static func name(_ percentile: Double) -> String {
        percentile >= 100
            ? "max" : percentile == 0 ? "min" : "p" + JSONValue.number(percentile).exact
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
