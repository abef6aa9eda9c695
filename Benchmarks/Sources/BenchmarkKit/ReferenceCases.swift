internal import CBenchmark

/// What runs beside the allocator in the same process, so that its figures can be read as ratios
/// on any machine: nothing here knows about regions.
enum ReferenceCases {
    private static let operationsPerBlock = ChurnWorkload.stepsPerBlock

    /// A dependent walk over `regions` x 48 bytes in random order: what one miss costs in a
    /// structure that spends 48 bytes per region.
    static func chase(
        regions: Int, options: AllocatorOptions, clock: TickClock
    ) -> BenchmarkResult {
        let ring = PointerRing(count: regions, seed: options.seed ^ 0xC4A5E)
        let limit = clock.ticks(seconds: options.phaseSeconds)
        var cursor = 0
        _ = ring.walk(
            blocks: options.warmUpSteps(slots: regions) / operationsPerBlock, limit, &cursor)
        let ticks = ring.walk(blocks: options.blockSteps / operationsPerBlock, limit, &cursor)
        return row("chase", regions, "hop", ticks, UInt64(cursor), clock)
    }

    /// W1's loop with an allocator that only counts up: the trace, the slots, and the loop itself.
    static func floor(
        slots count: Int, options: AllocatorOptions, clock: TickClock
    ) -> BenchmarkResult {
        let trace = ChurnTrace.sparse(slots: count, steps: options.blockSteps, seed: options.seed)
        let table = UnsafeMutablePointer<(UInt64, UInt64, UInt64)>.allocate(capacity: count)
        defer { unsafe table.deallocate() }
        unsafe table.initialize(repeating: (0, 0, 0), count: count)
        let steps = trace.steps.span
        let deadline = cbench_ticks_end() + clock.ticks(seconds: options.phaseSeconds)
        var (ticks, frontier, checksum): ([UInt64], UInt64, UInt64) = ([], 0, 0)
        var position = 0
        for _ in 0..<options.blockSteps / operationsPerBlock {
            let start = cbench_ticks_begin()
            for index in position..<position + operationsPerBlock {
                let step = steps[index]
                // Safe: a trace draws its victims below the slot count.
                checksum ^= unsafe table[Int(step.victim)].0
                unsafe table[Int(step.victim)] = (frontier, frontier, UInt64(step.pages))
                frontier &+= RegionShape.byteCount(pages: step.pages)
            }
            let end = cbench_ticks_end()
            ticks.append(end - start)
            position += operationsPerBlock
            if end > deadline { break }
        }
        return row("floor", count, "pair", ticks, checksum, clock)
    }

    /// An empty measurement: what the clock itself adds to every single-operation percentile.
    static func timer(clock: TickClock) -> BenchmarkResult {
        var ticks: [UInt64] = []
        ticks.reserveCapacity(100_000)
        for _ in 0..<100_000 {
            let start = cbench_ticks_begin()
            ticks.append(cbench_ticks_end() - start)
        }
        let checksum = ticks.reduce(0, &+)
        var result = row("timer", 1, "reading", ticks, checksum, clock, perBlock: 1)
        result.percentiles = Percentiles(ticks: ticks, clock: clock)
        return result
    }

    private static func row(
        _ name: String, _ n: Int, _ per: String, _ ticks: [UInt64], _ checksum: UInt64,
        _ clock: TickClock, perBlock: Int = operationsPerBlock
    ) -> BenchmarkResult {
        let times = BlockTimes(ticks: ticks, operationsPerBlock: perBlock, clock: clock)!
        return BenchmarkResult(
            suite: "reference", caseName: name, n: n, per: per, medianNs: times.medianNs,
            meanNs: times.meanNs, checksum: checksum)
    }
}
