internal import CBenchmark
internal import VDPAMemory

/// The suite `heap`: blocks of 64 to 1024 bytes from a `DMAHeap` that is 80 % full, given back and
/// taken in the order of W2.
///
/// - `heap`: the heap.
/// - `stacks`: the same loop on arrays of blocks, one for each size, that never join anything: what
///   the loop, the trace and the slots cost with the least allocator that can serve them.
public enum HeapSuite {
    public static let slotCounts = [1_000, 100_000]

    /// Reports the best of the repetitions; those of both rows take turns.
    public static func run(
        _ options: AllocatorOptions, devicePath: String?, clock: TickClock,
        progress: ProgressLine = .silent(), report: (BenchmarkResult) -> Void
    ) throws(BenchmarkError) {
        guard options.repetitions > 0, options.blockSteps >= HeapWorkload.stepsPerBlock else {
            throw BenchmarkError(
                "heap: at least one repetition of \(HeapWorkload.stepsPerBlock) steps")
        }
        progress.open("heap", steps: options.slotCounts.count * options.repetitions)
        for slots in options.slotCounts {
            guard slots > 0, slots <= 10_000_000 else {
                throw BenchmarkError("--blocks takes 1 to 10000000 blocks, not \(slots)")
            }
            let trace = HeapTrace.tight(
                slots: slots, steps: options.stepCount(slots: slots), seed: options.seed)
            var reference = ReferenceChase(regions: slots, options: options, clock: clock)
            var runs: [[BenchmarkResult]] = []
            for _ in 0..<options.repetitions {
                progress.next("stacks and heap", n: slots)
                runs.append(
                    try reference.beside { () throws(BenchmarkError) in
                        [
                            stacks(trace, options, clock),
                            try heap(trace, options, devicePath, clock),
                        ]
                    })
            }
            for row in runs[0].indices { report(BenchmarkResult.best(of: runs.map { $0[row] })) }
        }
    }

    private static func heap(
        _ trace: ChurnTrace, _ options: AllocatorOptions, _ devicePath: String?,
        _ clock: TickClock
    ) throws(BenchmarkError) -> BenchmarkResult {
        let domain = try DeviceUnderTest(path: devicePath, leavesMemoryAlone: true).openDomain()
        do {
            var workload = try HeapWorkload(trace, domain: domain)
            let limit = clock.ticks(seconds: options.phaseSeconds)
            _ = workload.runBlocks(
                count: options.warmUpSteps(slots: trace.fill.count), limit: limit)
            let blocks = workload.runBlocks(count: options.blockSteps, limit: limit)
            let singles = workload.runSingly(count: options.singleSteps, limit: limit)
            workload.verify()
            var result = row("heap", trace, blocks, workload.checksum, clock)
            result.percentiles = Percentiles(ticks: singles, clock: clock)
            result.failures = workload.failures
            return result
        } catch {
            throw BenchmarkError("heap: \(error)")
        }
    }

    private static func row(
        _ name: String, _ trace: ChurnTrace, _ ticks: [UInt64], _ checksum: UInt64,
        _ clock: TickClock
    ) -> BenchmarkResult {
        // At least one block has been timed: `run` checks the options.
        let times = BlockTimes(
            ticks: ticks, operationsPerBlock: HeapWorkload.stepsPerBlock, clock: clock)!
        return BenchmarkResult(
            suite: "heap", caseName: name, n: trace.fill.count, per: "pair",
            medianNs: times.medianNs, meanNs: times.meanNs, checksum: checksum)
    }

    private static func stacks(
        _ trace: ChurnTrace, _ options: AllocatorOptions, _ clock: TickClock
    ) -> BenchmarkResult {
        var stacks = BlockStacks(trace)
        let limit = clock.ticks(seconds: options.phaseSeconds)
        _ = stacks.runBlocks(count: options.warmUpSteps(slots: trace.fill.count), limit: limit)
        let ticks = stacks.runBlocks(count: options.blockSteps, limit: limit)
        return row("stacks", trace, ticks, stacks.checksum, clock)
    }
}
