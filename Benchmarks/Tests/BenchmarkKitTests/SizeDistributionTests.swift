import Testing

@testable import BenchmarkKit

/// What each size distribution draws: `Benchmarks/peers` holds the same values in C++.
struct SizeDistributionTests {
    private static let draws = 100_000

    private func sizes(_ distribution: SizeDistribution, from: Int = 0, to: Int = draws) -> [UInt32]
    {
        var generator = SplitMix64(seed: 5)
        return (0..<Self.draws).map {
            distribution.pageCount(generator.next(), step: $0, of: Self.draws)
        }[from..<to].map { $0 }
    }

    private func mean(_ pages: [UInt32]) -> Double {
        pages.reduce(0) { $0 + Double($1) } / Double(pages.count)
    }

    @Test func uniformDistributionsHaveOneSize() {
        #expect(Set(sizes(.page)) == [1])
        #expect(Set(sizes(.huge)) == [512])
    }

    @Test func powersReachFrom4KiBTo1GiBAndAreEquallyLikely() {
        let counts = Dictionary(grouping: sizes(.powers)) { $0 }.mapValues(\.count)
        #expect(counts.keys.sorted() == (0...18).map { UInt32(1) << $0 })
        // Each is 1/19 of the draws: 5263, give or take eight standard deviations of 71.
        #expect(counts.values.allSatisfy { abs($0 - 5263) < 568 })
        #expect(RegionShape.byteCount(pages: 1 << 18) == 1 << 30)
    }

    @Test func mixedHasTheSharesAndTheMeanItSays() {
        let drawn = sizes(.mixed)
        let share = { (test: (UInt32) -> Bool) in
            Double(drawn.count(where: test)) / Double(drawn.count)
        }
        #expect(abs(share { $0 == 1 } - 0.5) < 0.01)
        #expect(abs(share { (2...16).contains($0) } - 0.3) < 0.01)
        #expect(abs(share { $0 == 512 } - 0.15) < 0.01)
        #expect(abs(share { $0 > 512 } - 0.05) < 0.01)
        #expect(abs(mean(drawn) * 4096 - 2.1e6) < 0.1e6)
    }

    @Test func driftSlidesTheMeanByADecade() {
        let tenth = Self.draws / 10
        // The first tenth's factor is 1.45 on average, the last one's 9.55; whole huge pages add
        // a little to either.
        let first = mean(sizes(.drift, to: tenth)) / mean(sizes(.mixed, to: tenth))
        let last =
            mean(sizes(.drift, from: 9 * tenth)) / mean(sizes(.mixed, from: 9 * tenth))
        #expect((1.45..<1.65).contains(first))
        #expect((9.5..<9.8).contains(last))
    }

    @Test func driftStartsAsMixedAndKeepsLargeSizesInWholeHugePages() {
        #expect(sizes(.drift)[0] == sizes(.mixed)[0])
        let drawn = sizes(.drift)
        #expect(drawn.allSatisfy { $0 >= 1 && ($0 < 512 || $0 % 512 == 0) })
        // The largest: 64 MiB, ten-fold.
        #expect((Set(drawn).max() ?? 0) <= 163_840)
        #expect(Set(drawn).count > 300)
    }

    @Test(arguments: SizeDistribution.allCases)
    func sparseRangeIsNeverShort(_ distribution: SizeDistribution) {
        // A million of the largest mean, that of the last tenth.
        let most = mean(sizes(distribution, from: 9 * Self.draws / 10)) * 4096 * 1e6
        #expect(most * 3 < Double(distribution.sparseByteCount))
    }

    @Test(arguments: SizeDistribution.allCases)
    func tightRangeIsFourFifthsFullAtThePeak(_ distribution: SizeDistribution) {
        let trace = ChurnTrace.tight(slots: 500, steps: 2_000, seed: 3, sizes: distribution)
        var held = trace.fill
        var peak: UInt64 = 0
        for step in trace.steps {
            held[Int(step.victim)] = step.pages
            peak = max(peak, held.reduce(0) { $0 + RegionShape.byteCount(pages: $1) })
        }
        #expect(peak <= trace.peakByteCount && trace.fillByteCount <= trace.peakByteCount)
        let share = Double(trace.peakByteCount) / Double(trace.rangeByteCount)
        // One pending region and 2 MiB of rounding, more or less.
        let largest = RegionShape.byteCount(pages: trace.fill.max() ?? 0)
        let slack = Double(largest + (4 << 20)) / Double(trace.rangeByteCount)
        #expect(abs(share - 0.8) < 0.001 + slack)
        // Sizes that are only handed on peak where they started.
        if distribution != .drift { #expect(share <= 0.8) }
    }

    /// The check values of the traces: changed sizes or another order of draws change them.
    private struct Expected: Sendable {
        let sizes: SizeDistribution
        let fillByteCount: UInt64
        let tightRange: UInt64
        let sparse: [TraceStep]
        let tight: [TraceStep]

        /// - Parameter pages: of each step; the victims are the same for every distribution.
        init(_ sizes: SizeDistribution, _ fill: UInt64, _ range: UInt64, sparse: [UInt32]) {
            (self.sizes, fillByteCount, tightRange) = (sizes, fill, range)
            self.sparse = Self.steps([333, 882, 108, 363], sparse)
            tight = self.sparse
        }

        init(
            _ sizes: SizeDistribution, _ fill: UInt64, _ range: UInt64, sparse: [UInt32],
            tight: [UInt32]
        ) {
            (self.sizes, fillByteCount, tightRange) = (sizes, fill, range)
            self.sparse = Self.steps([333, 882, 108, 363], sparse)
            self.tight = Self.steps([923, 882, 529, 108], tight)
        }

        private static func steps(_ victims: [UInt32], _ pages: [UInt32]) -> [TraceStep] {
            zip(victims, pages).map { TraceStep(victim: $0, pages: $1) }
        }
    }

    private static let expectations: [Expected] = [
        Expected(
            .page, 4_096_000, 6_291_456, sparse: [1, 1, 1, 1], tight: [1, 1, 1, 1]),
        Expected(
            .huge, 2_097_152_000, 2_625_634_304, sparse: [512, 512, 512, 512],
            tight: [512, 512, 512, 512]),
        Expected(
            .powers, 116_305_596_416, 145_382_965_248, sparse: [131_072, 1_024, 8_192, 256],
            tight: [64, 32_768, 8, 4_096]),
        Expected(.drift, 3_028_029_440, 4_232_052_736, sparse: [10, 3, 5, 87_552]),
    ]

    @Test func tracesHoldTheCheckValues() {
        for expected in Self.expectations {
            let sparse = ChurnTrace.sparse(
                slots: 1_000, steps: 4, seed: 42, sizes: expected.sizes)
            #expect(sparse.fillByteCount == expected.fillByteCount)
            #expect(sparse.rangeByteCount == expected.sizes.sparseByteCount)
            #expect(sparse.steps == expected.sparse)
            let tight = ChurnTrace.tight(slots: 1_000, steps: 4, seed: 42, sizes: expected.sizes)
            #expect(tight.fill == sparse.fill)
            #expect(tight.rangeByteCount == expected.tightRange)
            #expect(tight.steps == expected.tight)
        }
    }
}
