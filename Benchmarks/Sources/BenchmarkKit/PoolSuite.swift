internal import CBenchmark
internal import Glibc
internal import VDPAMemory
internal import VDPASimulator

/// How much the suite `pool` does.
public struct PoolOptions: Sendable {
    /// Of 2 KiB.
    public var buffers = 16_384
    /// Buffers taken and given back in a block: a block is shorter than a scheduler's slice, so
    /// that most blocks know nothing of the neighbours.
    public var buffersPerBlock = 16_384
    public var blocks = 200
    public var repetitions = 5

    public init() {}

    public mutating func makeQuick() { (blocks, repetitions) = (20, 1) }
}

/// The suite `pool`: nanoseconds for a buffer that is taken and given back; buffers are not
/// touched.
///
/// - `lifo-B`: takes B and gives the same ones back. `ring-B`: of 1024 outstanding buffers gives
///   the B oldest and takes B. Beside each, an array of the same elements in C does the same.
/// - `2T-lifo-B`, `2T-ring-B`: two threads do so on one pool, in turns with one of them alone.
/// - `cross-B`: one thread takes B and hands them through a ring of 1024 slots to another, which
///   gives them back.
public enum PoolSuite {
    static let bufferByteCount = 2048
    static let outstanding = 1024
    public static let bursts = [1, 8, 32]

    public static func run(
        _ options: PoolOptions, clock: TickClock, progress: ProgressLine = .silent(),
        report: (BenchmarkResult) -> Void
    ) throws(BenchmarkError) {
        guard options.repetitions > 0, options.blocks > 0,
            options.buffers >= 4 * outstanding, options.buffersPerBlock >= outstanding
        else {
            throw BenchmarkError("a pool has \(4 * outstanding) buffers or more, and is used")
        }
        progress.open("pool", steps: options.repetitions * 5 * bursts.count)
        func step(_ name: String) { progress.next(name, n: options.buffers) }
        var runs: [[BenchmarkResult]] = []
        for _ in 0..<options.repetitions {
            var rows: [BenchmarkResult] = []
            for burst in bursts {
                rows += try [PoolUse.lifo, .ring].map { kind throws(BenchmarkError) in
                    step("\(kind.rawValue)-\(burst)")
                    return try alone(kind, burst, options, clock)
                }
            }
            for burst in bursts {
                rows += try [PoolUse.lifo, .ring].map { kind throws(BenchmarkError) in
                    step("2T-\(kind.rawValue)-\(burst)")
                    return try pair(kind, burst, options, clock)
                }
            }
            for burst in bursts {
                step("cross-\(burst)")
                rows.append(try cross(burst, options, clock))
            }
            runs.append(rows)
        }
        for index in runs[0].indices {
            report(best(of: runs.map { $0[index] }))
        }
    }

    static func makePool(_ options: PoolOptions) throws(BenchmarkError) -> DMABufferPool {
        do {
            let pool = try DMABufferPool(
                DMADomain(.answering()), bufferSize: bufferByteCount, count: options.buffers,
                options: .init(checks: .off))
            return pool
        } catch {
            throw BenchmarkError("no pool of \(options.buffers) buffers: \(error)")
        }
    }

    /// All buffers are there, and none twice, or the process ends.
    static func verify(_ pool: DMABufferPool) {
        // Threads that have just ended may still be giving their caches back.
        var tries = 0
        while pool.statistics.inUse > 0 && tries < 1000 {
            usleep(1000)
            tries += 1
        }
        precondition(pool.statistics.inUse == 0, "\(pool.statistics.inUse) buffers are lost")
        var seen = Set<DMABuffer>()
        var count = 0
        while let buffer = pool.take() {
            seen.insert(buffer)
            count += 1
        }
        precondition(seen.count == count && count <= pool.capacity, "a buffer is there twice")
        for buffer in seen { pool.give(buffer) }
    }

    /// Where neighbours share the processors, the best repetition's own ratios count.
    private static func best(of runs: [BenchmarkResult]) -> BenchmarkResult {
        var best = BenchmarkResult.best(of: runs)
        best.bestNs = runs.compactMap(\.bestNs).min()
        best.ratioToOneThread = runs.compactMap(\.ratioToOneThread).max()
        if let ratio = runs.compactMap(\.ratio).min() { best.referenceNs = best.medianNs / ratio }
        return best
    }

    static func row(
        _ name: String, _ options: PoolOptions, perBlock: Int, ticks: [UInt64], checksum: UInt64,
        _ clock: TickClock
    ) -> BenchmarkResult {
        let times = BlockTimes(ticks: ticks, operationsPerBlock: perBlock, clock: clock)!
        var result = BenchmarkResult(
            suite: "pool", caseName: name, n: options.buffers, per: "buffer",
            medianNs: times.medianNs, meanNs: times.meanNs, checksum: checksum)
        result.bestNs = clock.nanoseconds(ticks.min()!) / Double(perBlock)
        return result
    }
}

/// What a thread does with a pool by itself.
enum PoolUse: String, Sendable {
    case lifo, ring
}
