internal import VDPAMemory
internal import VDPASimulator
internal import VirtioDeviceModel
internal import VirtioDriver

/// What the suite `blk` reads, and how.
public struct BlockSuiteOptions: Sendable {
    public var devicePath: String?
    /// Requests of each way and repetition.
    public var requests = 2_000
    /// Requests that the device has at a time. 1 for a VDUSE daemon that does not survive messages
    /// under load.
    public var depth = 16
    /// Bytes of a request: whole pages.
    public var requestBytes = 4_096
    public var repetitions = 3
    public var seed: UInt64 = 42
    /// Names of ways; all where empty.
    public var ways: [String] = []

    public init() {}

    public mutating func makeQuick() { (requests, repetitions) = (200, 1) }
}

/// The suite `blk`: what a request to a block device costs when its memory is mapped for it, and
/// when it is mapped already. It only reads: the disk stays as it is.
///
/// - `map-each`: each request's memory is registered before it and unregistered after it.
/// - `map-batch`: as many requests as the depth, in rounds: one batch before, one after.
/// - `deferred`: as `map-each`, unmapped 32 at a time.
/// - `pool`: buffers of a `DMABufferPool`; no message.
public enum BlockSuite {
    public static let wayNames = BlockWay.allCases.map(\.rawValue)

    public static func run(
        _ options: BlockSuiteOptions, clock: TickClock, progress: ProgressLine = .silent(),
        report: (BenchmarkResult) -> Void
    ) throws(BenchmarkError) {
        guard options.requests > 0, options.repetitions > 0, (1...128).contains(options.depth),
            options.requestBytes > 0, options.requestBytes % 4096 == 0
        else {
            throw BenchmarkError(
                "--requests and --repetitions are at least 1, --depth is 1 to 128, and --bytes"
                    + " whole pages of 4096")
        }
        let memory = try PopulatedMemory(byteCount: 2 * options.depth * options.requestBytes)
        let ways = BlockWay.allCases.filter {
            options.ways.isEmpty || options.ways.contains($0.rawValue)
        }
        progress.open("blk", steps: ways.count * options.repetitions)
        for way in ways {
            var runs: [BlockRun] = []
            for repetition in 0..<options.repetitions {
                progress.next(way.rawValue, n: options.requests)
                let seed = options.seed &+ UInt64(repetition)
                do {
                    let bench = try BlockBench(way, options, seed: seed)
                    runs.append(try bench.run(memory, clock))
                } catch {
                    throw BenchmarkError("\(way.rawValue): \(error)")
                }
            }
            report(row(way, options, runs))
        }
    }

    private static func row(
        _ way: BlockWay, _ options: BlockSuiteOptions, _ runs: [BlockRun]
    ) -> BenchmarkResult {
        let times = runs.map { $0.nanoseconds / Double(options.requests) }
        var result = BenchmarkResult(
            suite: "blk", caseName: way.rawValue, n: options.requests, per: "request",
            medianNs: median(times), meanNs: times.reduce(0, +) / Double(times.count),
            checksum: runs.reduce(0) { $0 &+ $1.checksum })
        result.messages = runs.map(\.messages).max() ?? 0
        result.repetitions = runs.count
        result.worstMedianNs = times.max()
        return result
    }
}

/// When a request's memory is mapped.
enum BlockWay: String, CaseIterable {
    case mapEach = "map-each"
    case mapBatch = "map-batch"
    case deferred
    case pool

    var unmapping: DMADomainOptions.Unmapping {
        self == .deferred ? .deferred(maximumBytes: .max, maximumExtents: 32) : .immediate
    }
}

struct BlockRun {
    let nanoseconds: Double
    let messages: Int
    let checksum: UInt64
}
