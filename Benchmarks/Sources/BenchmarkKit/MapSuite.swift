internal import VDPAMemory

/// How much the suite `map` maps.
public struct MapOptions: Sendable {
    public var devicePath: String?
    /// Regions of 4 KiB that are carved from shared extents.
    public var regions = 10_000
    /// Regions with a message or an entry each, at most: a table has 2048 entries by default. Their
    /// cost for each stands for that of as many as are carved.
    public var singles = 2_000
    /// Sizes of batches, to see what a batch saves; those above `singles` are left out.
    public var batchSizes = [1, 4, 16, 64, 256]
    public var repetitions = 5

    public init() {}

    public mutating func makeQuick() {
        (regions, singles, batchSizes, repetitions) = (1_000, 200, [1, 16], 1)
    }
}

/// The suite `map`: what a region of 4 KiB costs, in time and in messages to the device.
///
/// - `one-by-one`: pages that do not touch each other in memory, registered singly.
/// - `batch`: the same pages in one batch.
/// - `coalesced`: adjacent pages in one batch, allowed to share a mapping.
/// - `batch-of`: as `batch`, in batches of other sizes.
/// - `extents`: the domain's own memory in one batch, carved from shared extents: `map-extents` is
///   all of it, `populate-extents` what the memory takes of that, `carve-extents` the rest: the
///   cost of the same mapping in memory that is populated already. `unmap-extents` frees the
///   regions in a batch, deferred; `flush-extents` unmaps what they were carved from.
/// - `raw-update`, on a device file only: one UPDATE written by hand over as many bytes of the same
///   kind of memory.
public enum MapSuite {
    public static func run(
        _ options: MapOptions, clock: TickClock, progress: ProgressLine = .silent(),
        report: (BenchmarkResult) -> Void
    ) throws(BenchmarkError) {
        guard options.regions > 0, options.singles > 0, options.repetitions > 0 else {
            throw BenchmarkError("--regions, --singles and --repetitions are at least 1")
        }
        let device = DeviceUnderTest(path: options.devicePath)
        // A few entries are left for a device that has some in use by itself.
        let entries = try device.entryLimit().map { max($0 - $0 / 64, 1) } ?? .max
        let singles = min(options.regions, options.singles, entries)
        let rows = MapRows(clock: clock)
        let memory = try PopulatedMemory(byteCount: 2 * singles * PageKind.size4KiB.pageBytes)
        let batchSizes = options.batchSizes.filter { $0 <= singles }
        progress.open(
            "map",
            steps: options.repetitions * (MappingWay.allCases.count + batchSizes.count + 1))
        var oneByOne: Double?
        func measure(
            _ way: MappingWay, _ name: String, _ regions: Int
        ) throws(BenchmarkError) {
            var runs: [MappingRun] = []
            for _ in 0..<options.repetitions {
                progress.next(name, n: regions)
                let domain = try device.openDomain()
                do {
                    runs.append(try way.run(domain, memory, regions: regions))
                } catch {
                    throw BenchmarkError("\(way.rawValue), \(regions) regions: \(error)")
                }
            }
            let map = rows.row("map-" + name, regions, runs.map(\.map))
            if way == .oneByOne { oneByOne = map.bestMedianNs }
            report(map)
            report(rows.row("unmap-" + name, regions, runs.map(\.unmap)))
        }
        for way in MappingWay.allCases { try measure(way, way.rawValue, singles) }
        for size in batchSizes {
            try measure(.batch, "batch-of", size)
        }
        try runExtents(options, device, rows, oneByOne: oneByOne, progress, report)
    }

    /// In turns with the raw message, so that a neighbour's load meets both.
    private static func runExtents(
        _ options: MapOptions, _ device: DeviceUnderTest, _ rows: MapRows, oneByOne: Double?,
        _ progress: ProgressLine, _ report: (BenchmarkResult) -> Void
    ) throws(BenchmarkError) {
        var runs: [ExtentRun] = []
        var raw: [MappingRun] = []
        for _ in 0..<options.repetitions {
            progress.next("extents", n: options.regions)
            runs.append(try extentRun(device, options.regions))
            if let path = options.devicePath {
                raw.append(try MappingRun(rawUpdateOn: path, regions: options.regions))
            }
        }
        let count = options.regions
        report(rows.row("map-extents", count, runs.map(\.map)))
        report(rows.row("populate-extents", count, runs.map { rows.population($0) }))
        var carve = rows.row("carve-extents", count, runs.map { rows.carving($0) })
        let rawRow = raw.isEmpty ? nil : rows.row("raw-update", count, raw.map(\.map))
        carve.ratioToOneByOne = rows.ratio(carve.bestMedianNs, oneByOne)
        carve.ratioToRawUpdate = rows.ratio(carve.bestMedianNs, rawRow?.bestMedianNs)
        report(carve)
        report(rows.row("unmap-extents", count, runs.map(\.unmap)))
        report(rows.row("flush-extents", count, runs.map(\.flush)))
        if let rawRow {
            report(rawRow)
            report(rows.row("raw-invalidate", count, raw.map(\.unmap)))
        }
    }
}

/// Its device is closed when this returns.
private func extentRun(
    _ device: DeviceUnderTest, _ regions: Int
) throws(BenchmarkError) -> ExtentRun {
    let domain = try device.openDomain(unmapping: .deferred(maximumBytes: .max))
    do {
        return try ExtentRun(domain, regions: regions)
    } catch {
        throw BenchmarkError("extents, \(regions) regions: \(error)")
    }
}

/// Rows from the phases of all repetitions.
struct MapRows {
    let clock: TickClock

    func row(_ name: String, _ count: Int, _ phases: [MappingRun.Phase]) -> BenchmarkResult {
        let times = phases.map { clock.nanoseconds($0.ticks) / Double(count) }
        let checksum = phases.reduce(0) { $0 &+ $1.checksum }
        var result = BenchmarkResult(
            suite: "map", caseName: name, n: count, per: "region",
            medianNs: median(times), meanNs: times.reduce(0, +) / Double(times.count),
            checksum: checksum)
        // The most that any repetition sent: a count that varies is not averaged away.
        result.messages = phases.map(\.messages).max() ?? 0
        result.percentiles = Percentiles(ticks: phases.flatMap(\.singles), clock: clock)
        result.repetitions = phases.count
        result.worstMedianNs = times.max()
        result.bestMedianNs = times.min()
        return result
    }

    func population(_ run: ExtentRun) -> MappingRun.Phase {
        var phase = MappingRun.Phase()
        phase.ticks = min(clock.ticks(seconds: Double(run.populationNs) / 1e9), run.map.ticks)
        phase.checksum = run.map.checksum
        return phase
    }

    /// Without the population: the same with memory that is there already.
    func carving(_ run: ExtentRun) -> MappingRun.Phase {
        var phase = run.map
        phase.ticks -= population(run).ticks
        return phase
    }

    func ratio(_ figure: Double?, _ reference: Double?) -> Double? {
        guard let figure, let reference, reference > 0 else { return nil }
        return figure / reference
    }
}
