import Testing

@testable import BenchmarkKit

struct AllocatorGoalsTests {
    private func row(_ name: String, _ n: Int, _ median: Double) -> BenchmarkResult {
        BenchmarkResult(
            suite: "allocator", caseName: name, n: n, per: "pair", medianNs: median, meanNs: median,
            checksum: 0)
    }

    private func missed(_ row: BenchmarkResult) -> [String] {
        AllocatorGoals.judge([row]).filter { !$0.isMet }.map(\.figure)
    }

    @Test func aMedianIsHeldAgainstTheGoalOfItsCount() {
        for (name, goals) in [
            ("W1", [25, 25, 45, 150]), ("W2", [25, 28, 55, 180]),
            ("W1-tree", [160, 200, 280, 700]), ("W4-dep", [28, 43, 64, 330]),
            ("W2-drift", [50, 56, 110, 360]),
        ] {
            for (n, goal) in zip([1_000, 10_000, 100_000, 1_000_000], goals) {
                #expect(missed(row(name, n, Double(goal))) == [])
                #expect(missed(row(name, n, Double(goal) + 0.1)) == ["median"])
            }
        }
        #expect(AllocatorGoals.judge([row("W1", 2_000, 1e9)]).isEmpty)
        #expect(AllocatorGoals.judge([row("W3-drain", 10_000, 1e9)]).isEmpty)
    }

    @Test func tailsSpansFailuresAndTheSecondThreadAreHeldAgainstTheirs() {
        var tight = row("W2", 1_000, 20)
        tight.spanOverLive = 1.11
        tight.failures = 65
        #expect(missed(tight) == ["failures", "span/live"])
        var two = row("W1-2T", 1_000, 20)
        two.threads = 2
        two.ratioToOneThread = 1.79
        #expect(missed(two) == ["x 1T"])
        two.ratioToOneThread = 1.8
        #expect(missed(two) == [])
        #expect(AllocatorGoals.judge([two])[0].line.hasSuffix("met"))
    }
}
