internal import CBenchmark
internal import IOVAAllocator
internal import Synchronization

/// W1 on one space that two pinned threads share, each with half of the slots: both at once
/// (`W1-2T`) and, in turns with that, one of them while the other sleeps (`W1-1T-shared`).
///
/// Both rows are of the same space in the same minute, with the same number of slots per thread:
/// their ratio tells what sharing costs, and nothing about caches that half of the work fits into.
/// Nanoseconds are per free and allocate of all threads together, up to the moment at which the
/// slower one is done.
enum SharedChurnCases {
    private static let rounds = 40
    /// 42 and 119 where the seed is the usual one.
    private static let seedDistance: UInt64 = 77

    static func run(
        slots count: Int, options: AllocatorOptions, clock: TickClock
    ) throws(BenchmarkError) -> [BenchmarkResult] {
        let half = max(count / 2, 1)
        let stepsPerSlice = max(options.blockSteps / rounds, ChurnWorkload.stepsPerBlock)
        let range = workloadRange(byteCount: 1 << 46)
        let space: SharedIOVASpace
        do {
            space = try SharedIOVASpace(
                usable: [range], regionCapacity: 2 * half, metadata: benchmarkMetadata)
        } catch {
            throw BenchmarkError("no shared space for \(count) regions: \(error)")
        }
        let workers = [options.seed, options.seed &+ seedDistance].map { seed in
            SharedChurnWorker(
                space,
                .sparse(slots: half, steps: max(options.blockSteps, half), seed: seed))
        }
        let threads = workers.indices.map { PinnedThread(processor: UInt32($0)) }
        defer {
            for thread in threads { thread.end() }
        }
        for (thread, worker) in zip(threads, workers) { thread.start { worker.fill() } }
        for thread in threads { thread.wait() }
        let warmUp = max(half, options.minimumWarmUpSteps / 2)
        _ = slice(Array(workers.indices), workers, threads, steps: warmUp)

        var (alone, together): ([UInt64], [UInt64]) = ([], [])
        let deadline = cbench_ticks_end() + clock.ticks(seconds: 4 * options.phaseSeconds)
        for round in 0..<rounds {
            // One after the other: a processor with a noisy neighbour counts as much alone.
            alone.append(slice([round % 2], workers, threads, steps: stepsPerSlice))
            together.append(slice([0, 1], workers, threads, steps: stepsPerSlice))
            if cbench_ticks_end() > deadline { break }
        }
        verify(space, range, workers)
        return rows(alone, together, stepsPerSlice, 2 * half, workers, clock)
    }

    /// Ticks from the start of these workers, at once, to the end of the last.
    private static func slice(
        _ chosen: [Int], _ workers: [SharedChurnWorker], _ threads: [PinnedThread], steps: Int
    ) -> UInt64 {
        let gate = StartGate(count: chosen.count)
        for index in chosen {
            let worker = workers[index]
            threads[index].start { worker.run(steps: steps, gate: gate.missing) }
        }
        for index in chosen { threads[index].wait() }
        let start = chosen.map { workers[$0].lastRun.lowerBound }.min()!
        return chosen.map { workers[$0].lastRun.upperBound }.max()! - start
    }

    /// Ends the process where the space handed out what it must not.
    private static func verify(
        _ space: SharedIOVASpace, _ range: IOVARange, _ workers: [SharedChurnWorker]
    ) {
        let all = SlotTable(count: workers.map { $0.slots.count }.reduce(0, +))
        var next = 0
        for worker in workers {
            for index in 0..<worker.slots.count {
                all[next] = worker.slots[index]
                next += 1
            }
        }
        if let fault = all.fault(within: range) { fatalError("live regions: \(fault)") }
        let live = (0..<all.count).count { all[$0].isLive }
        precondition(space.regionCount == live, "\(space.regionCount) regions, not \(live)")
        if let violation = space.invariantViolation() { fatalError("the space: \(violation)") }
    }

    private static func rows(
        _ alone: [UInt64], _ together: [UInt64], _ steps: Int, _ n: Int,
        _ workers: [SharedChurnWorker], _ clock: TickClock
    ) -> [BenchmarkResult] {
        let checksum = workers.reduce(0) { ($0 << 1 | $0 >> 63) ^ $1.checksum }
        func row(_ name: String, _ threads: Int, _ ticks: [UInt64]) -> BenchmarkResult {
            let times = BlockTimes(ticks: ticks, operationsPerBlock: steps * threads, clock: clock)!
            var result = BenchmarkResult(
                suite: "allocator", caseName: name, n: n, per: "pair", medianNs: times.medianNs,
                meanNs: times.meanNs, checksum: checksum)
            result.threads = threads
            result.failures = workers.map(\.failures).reduce(0, +)
            return result
        }
        let one = row("W1-1T-shared", 1, alone)
        var two = row("W1-2T", 2, together)
        two.ratioToOneThread = one.medianNs / two.medianNs
        return [one, two]
    }
}

/// Counts down to 0 when all who shall start at once are there.
private final class StartGate: Sendable {
    let missing: Atomic<Int>

    init(count: Int) { missing = Atomic(count) }
}
