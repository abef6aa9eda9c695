/// The reference of every row: a random pointer chase over 48 bytes a region, in the same process,
/// half of it right before the case and half right after.
///
/// 48 bytes is what a region may cost in bookkeeping, and a constant on purpose: a reference that
/// shrank with the allocator's own working set would hide what was gained by it. What a neighbour
/// or another machine does to memory meets both sides of the ratio.
struct ReferenceChase: ~Copyable {
    /// Enough for a median, few enough to take 40 ms where every hop misses.
    private static let hops = 1 << 17

    private let ring: PointerRing
    private let clock: TickClock
    private let limit: UInt64
    private var cursor = 0

    init(regions: Int, options: AllocatorOptions, clock: TickClock) {
        ring = PointerRing(count: regions, seed: options.seed ^ 0xC4A5E)
        self.clock = clock
        limit = clock.ticks(seconds: options.phaseSeconds)
    }

    /// Runs a case and gives its rows the reference that stood beside it.
    mutating func beside(
        _ body: () throws(BenchmarkError) -> [BenchmarkResult]
    ) throws(BenchmarkError) -> [BenchmarkResult] {
        let before = walk()
        let rows = try body()
        let ticks = before + walk()
        guard
            let times = BlockTimes(
                ticks: ticks, operationsPerBlock: ChurnWorkload.stepsPerBlock, clock: clock)
        else { return rows }
        return rows.map { row in
            var row = row
            row.referenceNs = times.medianNs
            return row
        }
    }

    private mutating func walk() -> [UInt64] {
        // Once around where that is short, so that what the caches hold is the ring's own.
        let around = min(ring.count, Self.hops) / ChurnWorkload.stepsPerBlock + 1
        _ = ring.walk(blocks: around, limit, &cursor)
        return ring.walk(blocks: Self.hops / ChurnWorkload.stepsPerBlock, limit, &cursor)
    }
}
