/// How much the suite `map` maps.
public struct MapOptions: Sendable {
    public var devicePath: String?
    /// Regions of 4 KiB. 1000 stay below the usual 8 MiB of lockable memory and 2048 entries.
    public var regions = 1_000
    public var repetitions = 5

    public init() {}

    public mutating func makeQuick() { (regions, repetitions) = (200, 1) }
}

/// The suite `map`: what a region of 4 KiB costs, in time and in messages to the device.
///
/// - `one-by-one`: pages that do not touch each other in memory, registered singly.
/// - `batch`: the same pages in one batch.
/// - `coalesced`: adjacent pages in one batch, allowed to share a mapping.
/// - `extents`: the domain's own memory in one batch, carved from shared extents; this one
///   contains the population of that memory.
public enum MapSuite {
    public static func run(
        _ options: MapOptions, clock: TickClock, report: (BenchmarkResult) -> Void
    ) throws(BenchmarkError) {
        guard options.regions > 0, options.repetitions > 0 else {
            throw BenchmarkError("--regions and --repetitions are at least 1")
        }
        let memory = try PopulatedMemory(
            byteCount: 2 * options.regions * PageKind.size4KiB.pageBytes)
        for way in MappingWay.allCases {
            var runs: [MappingRun] = []
            for _ in 0..<options.repetitions {
                let domain = try DeviceUnderTest(path: options.devicePath).openDomain()
                do {
                    runs.append(try way.run(domain, memory, regions: options.regions))
                } catch {
                    throw BenchmarkError("\(way.rawValue), \(options.regions) regions: \(error)")
                }
            }
            report(row("map-" + way.rawValue, options, runs.map(\.map), clock))
            report(row("unmap-" + way.rawValue, options, runs.map(\.unmap), clock))
        }
    }

    private static func row(
        _ name: String, _ options: MapOptions, _ phases: [MappingRun.Phase], _ clock: TickClock
    ) -> BenchmarkResult {
        let times = phases.map { clock.nanoseconds($0.ticks) / Double(options.regions) }
        let checksum = phases.reduce(0) { $0 &+ $1.checksum }
        var result = BenchmarkResult(
            suite: "map", caseName: name, n: options.regions, per: "region",
            medianNs: median(times), meanNs: times.reduce(0, +) / Double(times.count),
            checksum: checksum)
        // The most that any repetition sent: a count that varies is not averaged away.
        result.messages = phases.map(\.messages).max() ?? 0
        result.percentiles = Percentiles(ticks: phases.flatMap(\.singles), clock: clock)
        result.repetitions = phases.count
        result.worstMedianNs = times.max()
        return result
    }
}
