internal import CBenchmark
internal import IOVAAllocator
internal import VDPAMemory
internal import VDPASimulator

/// How much the suite `cost` does.
public struct CostOptions: Sendable {
    /// Regions of 4 KiB that are carved from mapped extents.
    public var regions = 50_000
    /// Extents of 4 KiB that are mapped in one batch.
    public var extents = 2_000
    public var repetitions = 5

    public init() {}

    public mutating func makeQuick() { (regions, extents, repetitions) = (2_000, 200, 1) }
}

/// The suite `cost`: what the library itself takes, on a device that takes every message and does
/// nothing with it, in memory that is populated.
///
/// - `carve`, `uncarve`: a small region from a shared extent that is mapped already, and its end,
///   by its owner. `carve-zero` also makes an earlier owner's bytes zeros.
/// - `batch-carve`, `batch-free`: the same in one batch, by ID.
/// - `carve-translated`, `uncarve-translated`: `carve` and `uncarve` once the domain's translator
///   is in use.
/// - `extent-map`, `extent-unmap`: pages that do not touch, registered and freed in one batch: one
///   message each.
public enum CostSuite {
    public static func run(
        _ options: CostOptions, clock: TickClock, progress: ProgressLine = .silent(),
        report: (BenchmarkResult) -> Void
    ) throws(BenchmarkError) {
        guard options.regions > 0, options.extents > 0, options.repetitions > 0 else {
            throw BenchmarkError("--regions, --extents and --repetitions are at least 1")
        }
        progress.open("cost", steps: options.repetitions * 10)
        var rows: [[CostPhase]] = []
        for _ in 0..<options.repetitions {
            do {
                rows.append(try once(options, progress))
            } catch {
                throw BenchmarkError("cost: \(error)")
            }
        }
        for index in rows[0].indices {
            report(row(rows.map { $0[index] }, clock))
        }
    }

    private static func once(
        _ options: CostOptions, _ progress: ProgressLine
    ) throws -> [CostPhase] {
        progress.next("preparation", n: options.regions)
        let domain = try DMADomain(
            .answering(), options: .init(regionCapacity: 2 * options.regions + options.extents))
        var owners = CarvedOwners(capacity: options.regions)
        let uninitialised = AllocationOptions(isUninitialised: true)
        // Extents for all, which stay mapped: one region in each lives on.
        var keepers = CarvedOwners(capacity: options.regions / 64 + 1)
        for index in 0..<options.regions {
            if index % 64 == 0 { try keepers.allocate(1, in: domain, .init()) }
            try owners.allocate(1, in: domain, .init())
        }
        try owners.free()
        var phases: [CostPhase] = []
        phases.append(
            try CostPhase("carve", options.regions, domain, progress, blocks: true) {
                try owners.allocate($0, in: domain, uninitialised)
            })
        phases.append(
            try CostPhase("uncarve", options.regions, domain, progress, blocks: true) {
                try owners.free($0)
            })
        phases.append(
            try CostPhase("carve-zero", options.regions, domain, progress, blocks: true) {
                try owners.allocate($0, in: domain, .init())
            })
        try owners.free()
        var ids: [RegionID] = []
        ids.reserveCapacity(options.regions)
        phases.append(
            try CostPhase("batch-carve", options.regions, domain, progress) { _ in
                try domain.batch { batch throws(DMAError) in
                    for _ in 0..<options.regions {
                        ids.append(try batch.allocate(byteCount: 4096, options: uninitialised))
                    }
                }
            })
        phases.append(
            try CostPhase("batch-free", options.regions, domain, progress) { _ in
                try domain.batch { batch throws(DMAError) in
                    for id in ids { try batch.free(id) }
                }
            })
        phases += try extents(options, domain, progress)
        let translator = try domain.translator
        phases.append(
            try CostPhase("carve-translated", options.regions, domain, progress, blocks: true) {
                try owners.allocate($0, in: domain, uninitialised)
            })
        phases.append(
            try CostPhase("uncarve-translated", options.regions, domain, progress, blocks: true) {
                try owners.free($0)
            })
        withExtendedLifetime(translator) {}
        try keepers.free()
        return phases
    }

    private static func extents(
        _ options: CostOptions, _ domain: DMADomain, _ progress: ProgressLine
    ) throws -> [CostPhase] {
        let memory = try PopulatedMemory(
            byteCount: 2 * options.extents * PageKind.size4KiB.pageBytes)
        var ids: [RegionID] = []
        ids.reserveCapacity(options.extents)
        // Safe: the pages are populated and outlive the domain's regions.
        let map = try CostPhase("extent-map", options.extents, domain, progress) { _ in
            try domain.batch { batch throws(DMAError) in
                for index in 0..<options.extents {
                    ids.append(unsafe try batch.register(memory.page(2 * index)))
                }
            }
        }
        let unmap = try CostPhase("extent-unmap", options.extents, domain, progress) { _ in
            try domain.batch { batch throws(DMAError) in
                for id in ids { try batch.free(id) }
            }
        }
        return [map, unmap]
    }

    private static func row(_ phases: [CostPhase], _ clock: TickClock) -> BenchmarkResult {
        let count = phases[0].count
        let times = phases.map { clock.nanoseconds($0.ticks) / Double(count) }
        var result = BenchmarkResult(
            suite: "cost", caseName: phases[0].name, n: count, per: "region",
            medianNs: median(times), meanNs: times.reduce(0, +) / Double(times.count),
            checksum: phases.reduce(0) { $0 &+ $1.checksum })
        result.messages = phases.map(\.messages).max() ?? 0
        result.repetitions = phases.count
        result.worstMedianNs = times.max()
        result.bestMedianNs = phases.map { clock.nanoseconds(1) * $0.blockTicks }.min()
        result.bestProcessorNs = phases.map { Double($0.processorNs) / Double(count) }.min()
        return result
    }
}

/// One timed phase on a domain.
private struct CostPhase {
    let name: String
    let count: Int
    let ticks: UInt64
    /// Of all threads; load from outside hardly touches it.
    let processorNs: UInt64
    let messages: Int
    /// What the domain holds afterwards: the work cannot have been left out.
    let checksum: UInt64

    /// The median block's ticks for each operation. A block is over before the scheduler takes the
    /// processor away, so that most of them know nothing of load from outside.
    let blockTicks: Double

    private static let blockSize = 250

    /// - Parameters:
    ///   - blocks: whether `body` may be run for a few operations at a time; else for all at once.
    ///   - body: does as many operations as it is told.
    init(
        _ name: String, _ count: Int, _ domain: DMADomain, _ progress: ProgressLine,
        blocks: Bool = false,
        _ body: (Int) throws -> Void
    ) rethrows {
        progress.next(name, n: count)
        let before = domain.messageCount
        let processor = cbench_process_ns()
        let step = blocks ? CostPhase.blockSize : count
        var blockTimes: [Double] = []
        blockTimes.reserveCapacity(count / step + 1)
        var total: UInt64 = 0
        for first in stride(from: 0, to: count, by: step) {
            let operations = min(step, count - first)
            let start = cbench_ticks_begin()
            try body(operations)
            let ticks = cbench_ticks_end() - start
            total += ticks
            blockTimes.append(Double(ticks) / Double(operations))
        }
        ticks = total
        blockTicks = median(blockTimes)
        processorNs = cbench_process_ns() - processor
        messages = domain.messageCount - before
        checksum = UInt64(domain.statistics.regions) &* 31 &+ domain.statistics.regionBytes
        self.name = name
        self.count = count
    }
}

/// Owners of regions, which no array can hold.
@safe
private struct CarvedOwners: ~Copyable {
    private let owners: UnsafeMutablePointer<DMARegion>
    private var count = 0

    init(capacity: Int) { unsafe owners = .allocate(capacity: capacity) }

    deinit {
        unsafe owners.deinitialize(count: count)
        unsafe owners.deallocate()
    }

    mutating func allocate(
        _ wanted: Int, in domain: DMADomain, _ options: AllocationOptions
    ) throws(DMAError) {
        for _ in 0..<wanted {
            // In bounds: the capacity is the most that is wanted.
            unsafe (owners + count).initialize(
                to: try domain.allocate(byteCount: 4096, options: options))
            count += 1
        }
    }

    mutating func free(_ wanted: Int = .max) throws(DMAError) {
        var left = wanted
        while count > 0, left > 0 {
            left -= 1
            count -= 1
            try unsafe (owners + count).move().free()
        }
    }
}
