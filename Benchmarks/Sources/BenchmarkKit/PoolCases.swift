internal import CBenchmark
internal import Synchronization
internal import VDPAMemory

extension PoolSuite {
    /// One thread; in turns with an array of the same elements.
    static func alone(
        _ use: PoolUse, _ burst: Int, _ options: PoolOptions, _ clock: TickClock
    ) throws(BenchmarkError) -> BenchmarkResult {
        let worker = PoolWorker(try makePool(options), burst: burst)
        let array = ReferenceArray(count: options.buffers, burst: burst)
        if use == .ring { worker.fillRing() }
        var (ticks, reference): ([UInt64], [UInt64]) = ([], [])
        for block in 0..<options.blocks + warmUpBlocks {
            let start = cbench_ticks_begin()
            worker.run(use, buffers: options.buffersPerBlock)
            let middle = cbench_ticks_end()
            array.run(use, buffers: options.buffersPerBlock)
            let end = cbench_ticks_end()
            if block >= warmUpBlocks {
                ticks.append(middle - start)
                reference.append(end - middle)
            }
        }
        if use == .ring { worker.emptyRing() }
        verify(worker.pool)
        var result = row(
            "\(use.rawValue)-\(burst)", options, perBlock: options.buffersPerBlock, ticks: ticks,
            checksum: worker.checksum &* 31 &+ array.checksum, clock)
        result.referenceNs =
            BlockTimes(
                ticks: reference, operationsPerBlock: options.buffersPerBlock, clock: clock
            )!.medianNs
        return result
    }

    private static let warmUpBlocks = 4

    /// Two threads on one pool, in turns with one of them alone.
    static func pair(
        _ use: PoolUse, _ burst: Int, _ options: PoolOptions, _ clock: TickClock
    ) throws(BenchmarkError) -> BenchmarkResult {
        let pool = try makePool(options)
        let workers = (0..<2).map { _ in PoolWorker(pool, burst: burst) }
        let buffers = options.buffersPerBlock
        let blocks = 2 * options.blocks
        let runs = BlockRuns(blocks: blocks) { thread, block in
            // Odd blocks are one thread's alone, each one's in turn.
            let isAlone = block % 2 == 1
            if !isAlone || block / 2 % 2 == thread { workers[thread].run(use, buffers: buffers) }
        } before: { thread in
            if use == .ring { workers[thread].fillRing() }
        } after: { thread in
            if use == .ring { workers[thread].emptyRing() }
        }
        verify(pool)
        let together = (0..<blocks).filter { $0 % 2 == 0 }.map { runs.ticks(block: $0) }
        let alone = (0..<blocks).filter { $0 % 2 == 1 }.map {
            runs.ticks(block: $0, thread: $0 / 2 % 2)
        }
        var result = row(
            "2T-\(use.rawValue)-\(burst)", options, perBlock: 2 * buffers, ticks: together,
            checksum: workers[0].checksum &+ workers[1].checksum, clock)
        result.threads = 2
        // The fastest blocks: in others a neighbour had one of the processors.
        result.ratioToOneThread = 2 * Double(alone.min()!) / Double(together.min()!)
        return result
    }

    /// One thread takes, another gives.
    static func cross(
        _ burst: Int, _ options: PoolOptions, _ clock: TickClock
    ) throws(BenchmarkError) -> BenchmarkResult {
        let pool = try makePool(options)
        let workers = (0..<2).map { _ in PoolWorker(pool, burst: burst) }
        let ring = PoolRing()
        let buffers = options.buffersPerBlock
        let runs = BlockRuns(blocks: options.blocks) { thread, block in
            if thread == 0 {
                workers[0].send(buffers, through: ring)
            } else {
                workers[1].receive(buffers, through: ring)
            }
        }
        verify(pool)
        var result = row(
            "cross-\(burst)", options, perBlock: buffers,
            ticks: (0..<options.blocks).map { runs.ticks(block: $0) },
            checksum: workers[1].checksum, clock)
        result.threads = 2
        return result
    }
}

/// Blocks that two pinned threads begin together, with the ticks at which each began and ended.
private struct BlockRuns {
    private let times: [[Range<UInt64>]]

    init(
        blocks: Int, _ body: @escaping @Sendable (_ thread: Int, _ block: Int) -> Void,
        before: @escaping @Sendable (Int) -> Void = { _ in },
        after: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        let meeting = Meeting()
        let threads = (0..<2).map { PinnedThread(processor: UInt32($0)) }
        let logs = (0..<2).map { _ in Log() }
        for thread in 0..<2 {
            let log = logs[thread]
            threads[thread].start {
                before(thread)
                for block in 0..<blocks {
                    meeting.wait(round: block)
                    let start = cbench_ticks_begin()
                    body(thread, block)
                    log.times.append(start..<cbench_ticks_end())
                }
                after(thread)
            }
        }
        for thread in threads { thread.wait() }
        times = logs.map(\.times)
        for thread in threads { thread.end() }
    }

    /// From the start of the first to the end of the last.
    func ticks(block: Int) -> UInt64 {
        let both = times.map { $0[block] }
        return both.map(\.upperBound).max()! - both.map(\.lowerBound).min()!
    }

    func ticks(block: Int, thread: Int) -> UInt64 {
        let time = times[thread][block]
        return time.upperBound - time.lowerBound
    }

    private final class Log: @unchecked Sendable {
        // Safe to send: one thread's, and read when it is done.
        var times: [Range<UInt64>] = []
    }

    /// Where two threads wait for each other, without sleeping.
    private final class Meeting: Sendable {
        private let arrived = Atomic<Int>(0)

        func wait(round: Int) {
            arrived.add(1, ordering: .acquiringAndReleasing)
            while arrived.load(ordering: .acquiring) < 2 * (round + 1) { cbench_pause() }
        }
    }
}

/// The array that a pool is held against.
@safe
private final class ReferenceArray {
    private var array: cbench_array
    private let elements: UnsafeMutablePointer<cbench_buffer>
    private let space: UnsafeMutablePointer<cbench_buffer>
    private let burst: Int
    private var oldest: UInt64 = 0
    private(set) var checksum: UInt64 = 0

    init(count: Int, burst: Int) {
        let outstanding = PoolSuite.outstanding
        self.burst = burst
        unsafe elements = .allocate(capacity: count)
        unsafe space = .allocate(capacity: outstanding)
        for index in 0..<count {
            let offset = UInt64(index * PoolSuite.bufferByteCount)
            unsafe (elements + index).initialize(
                to: cbench_buffer(address: 1 << 40 + offset, iova: 1 << 30 + offset))
        }
        // The last ones are outstanding.
        unsafe space.initialize(from: elements + (count - outstanding), count: outstanding)
        unsafe array = cbench_array(count: UInt64(count - outstanding), elements: elements)
    }

    deinit {
        unsafe elements.deallocate()
        unsafe space.deallocate()
    }

    func run(_ use: PoolUse, buffers: Int) {
        let (steps, burst) = (UInt64(buffers / burst), UInt64(burst))
        // Safe: a burst is at most what is outstanding, which `space` holds.
        switch use {
        case .lifo: checksum &+= unsafe cbench_array_lifo(&array, steps, burst, space)
        case .ring:
            checksum &+= unsafe cbench_array_ring(
                &array, steps, burst, space, UInt64(PoolSuite.outstanding), &oldest)
        }
    }
}
