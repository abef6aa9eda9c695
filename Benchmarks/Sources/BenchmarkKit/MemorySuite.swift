internal import CBenchmark
internal import Glibc
internal import VDPAMemory

/// How much memory the suite `memory` populates.
public struct MemoryOptions: Sendable {
    /// Per page size; a pool with fewer free pages gives what it has.
    public var byteCount = 1 << 30
    public var repetitions = 5
    /// Of the kernel's own population and of the library's alike.
    public var threads = max(1, min(8, sysconf(Int32(_SC_NPROCESSORS_ONLN))))

    public init() {}

    public mutating func makeQuick() { (byteCount, repetitions) = (64 << 20, 1) }
}

/// The suite `memory`: what backing memory costs, per page size. Each repetition has the kernel
/// alone (`populate-SIZE`: MADV_POPULATE_WRITE of a memfd, no library between) and then
/// `DMADomain.allocate` (`domain-SIZE`), so that a neighbour's load meets both; the ratio is what
/// placement on a node, its verification, the page size's proof and the mapping add.
public enum MemorySuite {
    /// - Parameter unavailable: Called with a page size and the reason where this machine cannot
    ///   give it; such a size has no row.
    public static func run(
        _ options: MemoryOptions, devicePath: String?, machine: Machine, clock: TickClock,
        progress: ProgressLine = .silent(), report: (BenchmarkResult) -> Void,
        unavailable: (String, String) -> Void
    ) throws(BenchmarkError) {
        let device = DeviceUnderTest(path: devicePath, leavesMemoryAlone: true)
        let entryLimit = try device.entryLimit() ?? .max
        progress.open("memory", steps: PageKind.allCases.count * max(options.repetitions, 1))
        for kind in PageKind.allCases {
            // Each page may need an entry of its own: half the table leaves room for the rest.
            let mappable = (entryLimit / 2).multipliedReportingOverflow(by: kind.pageBytes)
            let wanted = min(
                options.byteCount, mappable.overflow ? .max : mappable.partialValue)
            do {
                let byteCount = try kind.available(wanted: wanted, pools: machine.hugePages).get()
                let times = try measure(kind, byteCount, options, device, clock, progress)
                for result in times.rows(kind, byteCount, options.threads) { report(result) }
            } catch {
                unavailable(kind.rawValue, "\(error)")
            }
        }
    }

    private static func measure(
        _ kind: PageKind, _ byteCount: Int, _ options: MemoryOptions, _ device: DeviceUnderTest,
        _ clock: TickClock, _ progress: ProgressLine
    ) throws -> MemoryTimes {
        var times = MemoryTimes()
        for _ in 0..<max(options.repetitions, 1) {
            progress.next(kind.rawValue, n: byteCount)
            times.alone.append(
                try kind.populationNs(
                    byteCount: byteCount, threads: options.threads, clock: clock,
                    processorNs: { times.aloneProcessor.append($0) }
                ).get())
            let domain = try device.openDomain()
            let start = cbench_process_ns()
            let (ns, end) = try populate(domain, byteCount, kind, options.threads, clock)
            times.domain.append(ns)
            times.domainProcessor.append(Double(end - start))
            times.messages = max(times.messages, domain.messageCount)
        }
        return times
    }

    /// Nanoseconds until the region is usable, and the processor time then; freeing it is not
    /// counted.
    private static func populate(
        _ domain: DMADomain, _ byteCount: Int, _ kind: PageKind, _ threads: Int, _ clock: TickClock
    ) throws -> (ns: Double, processorEnd: UInt64) {
        let options = AllocationOptions(
            pages: .exactly(kind.pageSize), population: Population(threadCount: threads))
        var region: DMARegion?
        let ns = try clock.time {
            region = try domain.allocate(byteCount: byteCount, options: options)
        }
        let end = cbench_process_ns()
        try region.take()?.free()
        return (ns, end)
    }
}

/// What one page size took, in nanoseconds for all of the bytes: the same repetitions in both.
struct MemoryTimes {
    var alone: [Double] = []
    var domain: [Double] = []
    var messages = 0
    /// The processor time of both, of all threads: what load from outside hardly touches.
    var aloneProcessor: [Double] = []
    var domainProcessor: [Double] = []

    /// Of the fastest repetitions: load from outside only ever adds.
    static func ratio(_ domain: [Double], _ alone: [Double]) -> Double? {
        guard let alone = alone.min(), let domain = domain.min(), alone > 0 else { return nil }
        return domain / alone
    }

    func rows(_ kind: PageKind, _ byteCount: Int, _ threads: Int) -> [BenchmarkResult] {
        let kernel = MemoryTimes.row("populate-" + kind.rawValue, byteCount, threads, alone)
        var library = MemoryTimes.row("domain-" + kind.rawValue, byteCount, threads, domain)
        library.messages = messages
        library.ratioToPopulate = MemoryTimes.ratio(domain, alone)
        library.processorRatioToPopulate = MemoryTimes.ratio(domainProcessor, aloneProcessor)
        return [kernel, library]
    }

    /// A row from the times of whole populations of `byteCount` bytes.
    static func row(
        _ name: String, _ byteCount: Int, _ threads: Int, _ times: [Double]
    ) -> BenchmarkResult {
        let perGiB = times.map { $0 * Double(1 << 30) / Double(byteCount) }
        var result = BenchmarkResult(
            suite: "memory", caseName: name, n: byteCount, per: "GiB", medianNs: median(perGiB),
            meanNs: perGiB.reduce(0, +) / Double(perGiB.count), checksum: UInt64(byteCount))
        result.threads = threads
        result.repetitions = times.count
        result.worstMedianNs = perGiB.max()
        return result
    }
}

extension PageKind {
    fileprivate var pageSize: PageSize {
        switch self {
        case .size4KiB: .size4KiB
        case .transparent2MiB: .transparent2MiB
        case .size2MiB: .size2MiB
        case .size1GiB: .size1GiB
        }
    }
}
