/// How much memory the suite `memory` populates.
public struct MemoryOptions: Sendable {
    /// Per page size; a pool with fewer free pages gives what it has.
    public var byteCount = 1 << 30
    public var repetitions = 3

    public init() {}

    public mutating func makeQuick() { (byteCount, repetitions) = (64 << 20, 1) }
}

/// The suite `memory`: what populating backing memory costs, per page size.
public enum MemorySuite {
    /// The baseline, `populate-SIZE`: the kernel alone, with no library between.
    ///
    /// - Parameter unavailable: Called with a page size and the reason where this machine cannot
    ///   give it; such a size has no row.
    public static func runBaseline(
        _ options: MemoryOptions, machine: Machine, clock: TickClock,
        report: (BenchmarkResult) -> Void, unavailable: (String, String) -> Void
    ) {
        for kind in PageKind.allCases {
            let name = "populate-" + kind.rawValue
            switch measure(name, kind, options, machine, clock) {
            case .success(let result): report(result)
            case .failure(let reason): unavailable(name, reason.description)
            }
        }
    }

    private static func measure(
        _ name: String, _ kind: PageKind, _ options: MemoryOptions, _ machine: Machine,
        _ clock: TickClock
    ) -> Result<BenchmarkResult, BenchmarkError> {
        kind.available(wanted: options.byteCount, pools: machine.hugePages).flatMap { byteCount in
            var times: [Double] = []
            for _ in 0..<max(options.repetitions, 1) {
                switch kind.populationNs(byteCount: byteCount, clock: clock) {
                case .success(let ns): times.append(ns)
                case .failure(let reason): return .failure(reason)
                }
            }
            return .success(row(name, byteCount, times))
        }
    }

    /// A row from the times of whole populations of `byteCount` bytes.
    public static func row(_ name: String, _ byteCount: Int, _ times: [Double]) -> BenchmarkResult {
        let perGiB = times.map { $0 * Double(1 << 30) / Double(byteCount) }
        var result = BenchmarkResult(
            suite: "memory", caseName: name, n: byteCount, per: "GiB", medianNs: median(perGiB),
            meanNs: perGiB.reduce(0, +) / Double(perGiB.count), checksum: UInt64(byteCount))
        result.repetitions = times.count
        result.worstMedianNs = perGiB.max()
        return result
    }
}
