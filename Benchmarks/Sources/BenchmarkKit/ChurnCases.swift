internal import IOVAAllocator

/// W1 and W2: free a random region, allocate another, for as long as the trace lasts.
enum ChurnCases {
    /// - Parameters:
    ///   - sizes: what is asked for; the names of other distributions than W1's end in theirs.
    ///   - treeOnly: without the magazines in front of the tree; the names end in `-tree`.
    static func sparse(
        slots: Int, options: AllocatorOptions, clock: TickClock, sizes: SizeDistribution = .mixed,
        treeOnly: Bool = false
    ) throws(BenchmarkError) -> BenchmarkResult {
        let trace = ChurnTrace.sparse(
            slots: slots, steps: options.stepCount(slots: slots), seed: options.seed, sizes: sizes)
        return try run(name("W1", sizes, treeOnly), trace, options, clock, treeOnly)
    }

    static func tight(
        slots: Int, options: AllocatorOptions, clock: TickClock, sizes: SizeDistribution = .mixed,
        treeOnly: Bool = false
    ) throws(BenchmarkError) -> BenchmarkResult {
        let trace = ChurnTrace.tight(
            slots: slots, steps: options.stepCount(slots: slots), seed: options.seed, sizes: sizes)
        return try run(name("W2", sizes, treeOnly), trace, options, clock, treeOnly)
    }

    private static func name(
        _ workload: String, _ sizes: SizeDistribution, _ treeOnly: Bool
    ) -> String {
        workload + (sizes == .mixed ? "" : "-" + sizes.rawValue) + (treeOnly ? "-tree" : "")
    }

    private static func run(
        _ name: String, _ trace: ChurnTrace, _ options: AllocatorOptions, _ clock: TickClock,
        _ treeOnly: Bool
    ) throws(BenchmarkError) -> BenchmarkResult {
        var workload = try ChurnWorkload(trace, magazine: treeOnly ? .off : nil)
        let limit = clock.ticks(seconds: options.phaseSeconds)
        let warmUp = options.warmUpSteps(slots: trace.fill.count)
        _ = workload.runBlocks(count: warmUp, limit: limit)
        let blocks = workload.runBlocks(count: options.blockSteps, limit: limit)
        let singles = workload.runSingly(count: options.singleSteps, limit: limit)
        workload.verify()
        guard
            let times = BlockTimes(
                ticks: blocks, operationsPerBlock: ChurnWorkload.stepsPerBlock, clock: clock)
        else { throw BenchmarkError("\(name) needs at least \(ChurnWorkload.stepsPerBlock) steps") }
        var result = BenchmarkResult(
            suite: "allocator", caseName: name, n: trace.fill.count, per: "pair",
            medianNs: times.medianNs, meanNs: times.meanNs, checksum: workload.checksum)
        result.percentiles = Percentiles(ticks: singles, clock: clock)
        result.failures = workload.failures
        // Of live regions alone: what the magazine keeps counts as a hole, flushed or not.
        result.spanOverLive = workload.slots.spanOverLive()
        return result
    }
}
