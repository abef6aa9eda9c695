/// The goals that the IOVA space was made for, held against the rows of the suite `allocator`.
///
/// For N = 10^3, 10^4, 10^5 and 10^6, on a quiet machine; rows of other counts have none. The goals
/// that need a peer beside them (times against absl, span against best fit) are `make
/// bench-peers`'.
public enum AllocatorGoals {
    public struct Verdict: Sendable {
        public let caseName: String
        public let n: Int
        /// What was held against the goal: `median`, `p99.9`, `span/live`, `x 1T`, `failures`.
        public let figure: String
        public let value: Double
        public let goal: Double
        public let isMet: Bool

        /// One line; what is not met can be found by its word.
        public var line: String {
            let name = "\(caseName) \(figure), N = \(n)".padded(to: 34)
            let bound = figure == "x 1T" ? ">=" : "<="
            return "\(name) \(Self.text(value).padded(to: 9)) \(bound) "
                + "\(Self.text(goal).padded(to: 7)) \(isMet ? "met" : "MISSED")"
        }

        private static func text(_ value: Double) -> String {
            let hundredths = Int((value * 100).rounded())
            let fraction = hundredths % 100
            return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
        }
    }

    private static let counts = [1_000, 10_000, 100_000, 1_000_000]

    /// Nanoseconds by count; nil where a count has no goal.
    private static let medians: [String: [Double?]] = [
        "W1": [25, 25, 45, 150], "W2": [25, 28, 55, 180],
        "W1-tree": [160, 200, 280, 700], "W2-tree": [160, 200, 280, 700],
        "W3-fill": [25, nil, nil, 25], "W3-drain": [30, nil, nil, 250],
        "W4-dep": [28, 43, 64, 330],
    ]
    private static let tails: [String: [Double]] = ["W1": [150, 200, 600, 1200]]
    private static let mostSpan = 1.10
    private static let leastRateOfTwo = 1.8

    /// Every goal that a row has, in the rows' order.
    public static func judge(_ rows: [BenchmarkResult]) -> [Verdict] {
        rows.filter { $0.suite == "allocator" }.flatMap(judge)
    }

    private static func judge(_ row: BenchmarkResult) -> [Verdict] {
        guard let column = counts.firstIndex(of: row.n) else { return [] }
        var verdicts: [Verdict] = []
        func add(_ figure: String, _ value: Double, atMost goal: Double) {
            verdicts.append(
                Verdict(
                    caseName: row.caseName, n: row.n, figure: figure, value: value, goal: goal,
                    isMet: value <= goal))
        }
        let (name, factor) = base(row.caseName)
        if let goal = medians[name]?[column] { add("median", row.medianNs, atMost: factor * goal) }
        if let goal = tails[name]?[column], let tail = row.percentiles?.p999 {
            add("p99.9", tail, atMost: factor * goal)
        }
        if name == "W2" || name == "W1" {
            // More are not looked at: then it is not known whether a hole was there.
            add("failures", Double(row.failures), atMost: Double(ChurnWorkload.refusalsChecked))
        }
        if row.caseName == "W2", let span = row.spanOverLive {
            add("span/live", span, atMost: mostSpan)
        }
        if row.threads == 2, let rate = row.ratioToOneThread {
            verdicts.append(
                Verdict(
                    caseName: row.caseName, n: row.n, figure: "x 1T", value: rate,
                    goal: leastRateOfTwo, isMet: rate >= leastRateOfTwo))
        }
        return verdicts
    }

    /// The other size distributions have twice the goals of W1 and W2.
    private static func base(_ name: String) -> (name: String, factor: Double) {
        for sizes in ["-4k", "-2m", "-pow2", "-drift"] where name.hasSuffix(sizes) {
            return (String(name.dropLast(sizes.count)), 2)
        }
        return (name, 1)
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(width - count, 0))
    }
}
