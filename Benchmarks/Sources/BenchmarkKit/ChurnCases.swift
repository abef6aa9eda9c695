internal import IOVAAllocator

/// W1 and W2: free a random region, allocate another, for as long as the trace lasts.
enum ChurnCases {
    /// - Parameter treeOnly: without the magazines in front of the tree; the names end in `-tree`.
    static func sparse(
        slots: Int, options: AllocatorOptions, clock: TickClock, treeOnly: Bool = false
    ) throws(BenchmarkError) -> BenchmarkResult {
        let trace = ChurnTrace.sparse(
            slots: slots, steps: options.stepCount(slots: slots), seed: options.seed)
        return try run("W1", trace, options, clock, treeOnly)
    }

    static func tight(
        slots: Int, options: AllocatorOptions, clock: TickClock, treeOnly: Bool = false
    ) throws(BenchmarkError) -> BenchmarkResult {
        let trace = ChurnTrace.tight(
            slots: slots, steps: options.stepCount(slots: slots), seed: options.seed)
        return try run("W2", trace, options, clock, treeOnly)
    }

    private static func run(
        _ workloadName: String, _ trace: ChurnTrace, _ options: AllocatorOptions,
        _ clock: TickClock, _ treeOnly: Bool
    ) throws(BenchmarkError) -> BenchmarkResult {
        let name = workloadName + (treeOnly ? "-tree" : "")
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
        // W1's span says nothing: its range is never short.
        if workloadName == "W2" { result.spanOverLive = workload.slots.spanOverLive() }
        return result
    }
}
