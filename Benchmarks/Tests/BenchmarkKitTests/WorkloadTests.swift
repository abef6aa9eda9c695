import Testing

@testable import BenchmarkKit

/// The values that any other implementation of these workloads draws, too.
struct WorkloadTests {
    @Test func generatorDrawsThePublishedSequence() {
        // The reference implementation's first outputs for the seed 1234567.
        var generator = SplitMix64(seed: 1_234_567)
        let drawn = (0..<3).map { _ in generator.next() }
        #expect(
            drawn == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            ])
    }

    @Test func pickStaysBelowItsBoundAndReachesBothEnds() {
        #expect(pick(0, below: 1000) == 0)
        #expect(pick(.max, below: 1000) == 999)
        #expect(pick(1 << 63, below: 1000) == 500)
    }

    @Test(arguments: [
        (
            1_000, UInt64(3_028_029_440), UInt64(3_785_359_360),
            [(333, 10), (882, 1), (108, 1), (363, 11_264)],
            [(923, 1), (882, 1), (529, 16), (108, 9)]
        ),
        (
            1_000_000, 2_108_197_294_080, 2_635_249_745_920,
            [(688_778, 512), (719_706, 512), (604_936, 1), (631_140, 1)],
            [(992_127, 512), (719_706, 3), (753_862, 512), (604_936, 1)]
        ),
    ])
    func tracesHoldTheCheckValues(
        slots: Int, fillBytes: UInt64, tightRange: UInt64, sparse: [(Int, Int)],
        tight: [(Int, Int)]
    ) {
        let first = ChurnTrace.sparse(slots: slots, steps: 4, seed: 42)
        #expect(first.fill.prefix(10) == [1, 1, 1, 15, 1, 512, 13, 1, 12_800, 1])
        #expect(first.fillByteCount == fillBytes)
        #expect(first.rangeByteCount == 1 << 46)
        #expect(first.steps == sparse.map { step($0) })

        let second = ChurnTrace.tight(slots: slots, steps: 4, seed: 42)
        #expect(second.fill == first.fill)
        #expect(second.rangeByteCount == tightRange)
        #expect(second.steps == tight.map { step($0) })
    }

    @Test func tightTraceKeepsTheMultisetOfSizes() {
        let trace = ChurnTrace.tight(slots: 100, steps: 10_000, seed: 7)
        var held = trace.fill
        let before = held.sorted()
        // The pending size moves in with the first step; the last freed size is out at the end.
        var out = trace.steps[0].pages
        for step in trace.steps {
            #expect(step.pages == out)
            out = held[Int(step.victim)]
            held[Int(step.victim)] = step.pages
        }
        #expect((held + [out]).sorted() == (before + [trace.steps[0].pages]).sorted())
    }

    @Test func shuffleIsAPermutationAndSeedDecidesIt() {
        let order = shuffledOrder(count: 1_000, seed: 42 ^ 0xD1CE)
        #expect(order.sorted() == Array(0..<1_000))
        #expect(order == shuffledOrder(count: 1_000, seed: 42 ^ 0xD1CE))
        #expect(order != shuffledOrder(count: 1_000, seed: 43))
    }

    @Test func pointerRingIsOneCycleThroughAllElements() {
        let ring = PointerRing(count: 1_000, seed: 1)
        var (cursor, visited) = (0, Set<Int>())
        for _ in 0..<1_000 {
            visited.insert(cursor)
            cursor = ring.next(cursor)
        }
        #expect(cursor == 0)
        #expect(visited.count == 1_000)
    }

    private func step(_ pair: (Int, Int)) -> TraceStep {
        TraceStep(victim: UInt32(pair.0), pages: UInt32(pair.1))
    }
}
