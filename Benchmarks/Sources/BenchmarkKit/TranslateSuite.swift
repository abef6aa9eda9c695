internal import CBenchmark
internal import VDPAMemory

/// How much the suite `translate` does.
public struct TranslateOptions: Sendable {
    public var regionCounts = [8, 64, 512, 4096]
    /// Queries of a pass.
    public var queries = 1 << 18
    /// Passes of a repetition, whose median counts.
    public var passes = 5
    public var repetitions = 15
    /// Milliseconds of a repetition while another thread maps and unmaps, and while none does.
    public var blocks = 40
    public var seed: UInt64 = 42

    public init() {}

    public mutating func makeQuick() {
        (regionCounts, queries, passes, repetitions, blocks) = ([8, 64], 1 << 14, 3, 2, 10)
    }
}

/// The suite `translate`: address to IOVA and back through `AddressTranslator`, in turns with
/// the limit, a table of differences of which one entry is loaded and nothing is looked at.
///
/// - `rand`, `hot`: queries anywhere, or nine of ten in eight regions; `dep`: the next query waits
///   for the last answer.
/// - `maps`: while another thread maps and unmaps a region a thousand times a second; `x quiet` is
///   over the same without it, in turns; `steps`: per second.
/// - `chase`: a random pointer chase over as many bytes as the regions' entries take.
public enum TranslateSuite {
    public static func run(
        _ options: TranslateOptions, clock: TickClock, progress: ProgressLine = .silent(),
        report: (BenchmarkResult) -> Void
    ) throws(BenchmarkError) {
        guard options.repetitions > 0, options.passes > 0,
            options.regionCounts.allSatisfy({ $0 > 0 && $0 <= 1 << 14 })
        else {
            throw BenchmarkError("--regions is 1 to 16384, --repetitions at least 1")
        }
        // The chase; each direction anywhere and hot, each waiting or not, anywhere with maps too.
        progress.open(
            "translate",
            steps: options.regionCounts.count * (1 + 6 * TranslateDirection.allCases.count))
        for count in options.regionCounts {
            progress.next("chase", n: count)
            let workload: TranslateWorkload
            do {
                workload = try TranslateWorkload(regions: count, seed: options.seed)
            } catch {
                throw BenchmarkError("translate: \(error)")
            }
            report(chase(count, options, clock))
            for direction in TranslateDirection.allCases {
                try run(workload, count, direction, options, clock, progress, report)
            }
        }
    }

    private static func run(
        _ workload: TranslateWorkload, _ count: Int, _ direction: TranslateDirection,
        _ options: TranslateOptions, _ clock: TickClock, _ progress: ProgressLine,
        _ report: (BenchmarkResult) -> Void
    ) throws(BenchmarkError) {
        let limit = workload.limit(direction)
        for isHot in [false, true] {
            let (sources, sum) = workload.queries(
                direction, isHot: isHot, count: options.queries, seed: options.seed ^ 0x100C)
            for isDependent in [false, true] {
                let name =
                    direction.rawValue + (isHot ? "-hot" : "-rand") + (isDependent ? "-dep" : "")
                let measurement = TranslateMeasurement(
                    name: name, regions: count, sources: sources, sum: sum,
                    isDependent: isDependent, direction: direction, options: options, clock: clock)
                progress.next(name, n: count)
                report(try measurement.besideLimit(workload.translator, limit))
                guard !isHot else { continue }
                progress.next(name + "-maps", n: count)
                report(try measurement.whileMapping(workload))
            }
        }
    }

    private static func chase(
        _ count: Int, _ options: TranslateOptions, _ clock: TickClock
    ) -> BenchmarkResult {
        let entryBytes = count * (Int(TranslateWorkload.regionBytes) >> 21) * 8
        let ring = PointerRing(count: max(entryBytes / 48, 2), seed: options.seed)
        var cursor = 0
        let blocks = options.queries / ChurnWorkload.stepsPerBlock
        _ = ring.walk(blocks: blocks, .max >> 1, &cursor)
        let times = (0..<options.repetitions).map { _ in
            clock.nanoseconds(
                ring.walk(blocks: blocks, .max >> 1, &cursor).reduce(0, +))
                / Double(blocks * ChurnWorkload.stepsPerBlock)
        }
        var row = BenchmarkResult(
            suite: "translate", caseName: "chase", n: count, per: "hop",
            medianNs: times.min() ?? 0, meanNs: times.reduce(0, +) / Double(times.count),
            checksum: UInt64(cursor))
        row.repetitions = times.count
        row.worstMedianNs = times.max()
        return row
    }
}
