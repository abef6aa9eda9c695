/// How much the suite `map` maps.
public struct MapOptions: Sendable {
    public var devicePath: String?
    /// Regions of 4 KiB. 1000 stay below the usual 8 MiB of lockable memory and 2048 entries.
    public var regions = 1_000
    /// Sizes of batches, to see what a batch saves; those above `regions` are left out.
    public var batchSizes = [1, 4, 16, 64, 256]
    public var repetitions = 5

    public init() {}

    public mutating func makeQuick() { (regions, batchSizes, repetitions) = (200, [1, 16], 1) }
}

/// The suite `map`: what a region of 4 KiB costs, in time and in messages to the device.
///
/// - `one-by-one`: pages that do not touch each other in memory, registered singly.
/// - `batch`: the same pages in one batch.
/// - `coalesced`: adjacent pages in one batch, allowed to share a mapping.
/// - `extents`: the domain's own memory in one batch, carved from shared extents; this one
///   contains the population of that memory.
/// - `batch-of`: as `batch`, in batches of other sizes.
public enum MapSuite {
    public static func run(
        _ options: MapOptions, clock: TickClock, report: (BenchmarkResult) -> Void
    ) throws(BenchmarkError) {
        guard options.regions > 0, options.repetitions > 0 else {
            throw BenchmarkError("--regions and --repetitions are at least 1")
        }
        let memory = try PopulatedMemory(
            byteCount: 2 * options.regions * PageKind.size4KiB.pageBytes)
        func measure(
            _ way: MappingWay, _ name: String, _ regions: Int
        ) throws(BenchmarkError) {
            var runs: [MappingRun] = []
            for _ in 0..<options.repetitions {
                let domain = try DeviceUnderTest(path: options.devicePath).openDomain()
                do {
                    runs.append(try way.run(domain, memory, regions: regions))
                } catch {
                    throw BenchmarkError("\(way.rawValue), \(regions) regions: \(error)")
                }
            }
            report(row("map-" + name, regions, runs.map(\.map), clock))
            report(row("unmap-" + name, regions, runs.map(\.unmap), clock))
        }
        for way in MappingWay.allCases { try measure(way, way.rawValue, options.regions) }
        for size in options.batchSizes where size <= options.regions {
            try measure(.batch, "batch-of", size)
        }
    }

    private static func row(
        _ name: String, _ regions: Int, _ phases: [MappingRun.Phase], _ clock: TickClock
    ) -> BenchmarkResult {
        let times = phases.map { clock.nanoseconds($0.ticks) / Double(regions) }
        let checksum = phases.reduce(0) { $0 &+ $1.checksum }
        var result = BenchmarkResult(
            suite: "map", caseName: name, n: regions, per: "region",
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
