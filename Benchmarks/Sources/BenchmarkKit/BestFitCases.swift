internal import CBenchmark
internal import IOVAAllocator

/// W5: W2's churn, every allocation in the smallest hole that serves; without magazines, which that
/// order has to empty first.
///
/// A loop of its own: an order to pass on would cost the loop of W1 and W2 something.
enum BestFitCases {
    /// Few, because a step may look at every hole.
    private static let stepsPerBlock = 32
    private static let mostSteps = 8192

    static func run(
        slots count: Int, options: AllocatorOptions, clock: TickClock
    ) throws(BenchmarkError) -> BenchmarkResult {
        let trace = ChurnTrace.tight(slots: count, steps: 2 * mostSteps, seed: options.seed)
        var churn = try BestFitChurn(trace)
        let limit = clock.ticks(seconds: options.phaseSeconds)
        // Warm-up, in which the holes become what best fits leave.
        _ = churn.run(blocks: mostSteps / stepsPerBlock, of: stepsPerBlock, limit: limit)
        let ticks = churn.run(blocks: mostSteps / stepsPerBlock, of: stepsPerBlock, limit: limit)
        churn.verify()
        guard let times = BlockTimes(ticks: ticks, operationsPerBlock: stepsPerBlock, clock: clock)
        else { throw BenchmarkError("W5 needs at least \(stepsPerBlock) steps") }
        var result = BenchmarkResult(
            suite: "allocator", caseName: "W5-best", n: count, per: "pair",
            medianNs: times.medianNs, meanNs: times.meanNs, checksum: churn.checksum)
        result.failures = churn.failures
        result.spanOverLive = churn.slots.spanOverLive()
        return result
    }

    /// The worst case: every second of `count` slots is a hole of two pages, and a page is wanted.
    /// No hole is of that size, none is too small, so every one is looked at.
    static func worst(
        slots count: Int, options: AllocatorOptions, clock: TickClock
    ) throws(BenchmarkError) -> BenchmarkResult {
        let ticks: [UInt64]
        do {
            ticks = try searchAlikeHoles(count, limit: clock.ticks(seconds: options.phaseSeconds))
        } catch {
            throw BenchmarkError("W5-worst at n = \(count): \(error)")
        }
        guard let times = BlockTimes(ticks: ticks, operationsPerBlock: stepsPerBlock, clock: clock)
        else { throw BenchmarkError("W5-worst has run no block") }
        return BenchmarkResult(
            suite: "allocator", caseName: "W5-worst", n: count, per: "pair",
            medianNs: times.medianNs, meanNs: times.meanNs, checksum: 0)
    }

    private static func searchAlikeHoles(
        _ count: Int, limit: UInt64
    ) throws(IOVASpaceError) -> [UInt64] {
        var space = try IOVASpace(
            usable: [workloadRange(byteCount: 1 << 46)], regionCapacity: count + 1,
            magazine: .off, metadata: benchmarkMetadata)
        var regions: [IOVAAllocation] = []
        for _ in 0..<count { regions.append(try space.allocate(byteCount: 8192)) }
        for index in stride(from: 0, to: count - 1, by: 2) {
            try space.free(regions[index].handle)
        }
        var ticks: [UInt64] = []
        var strayed: UInt64 = 0
        let deadline = cbench_ticks_end() + limit
        for _ in 0..<mostSteps / stepsPerBlock {
            let start = cbench_ticks_begin()
            for _ in 0..<stepsPerBlock {
                let region = try space.allocate(byteCount: 4096, placement: .anywhere(.bestFit))
                strayed |= region.range.first.rawValue ^ regions[0].range.first.rawValue
                try space.free(region.handle)
            }
            let end = cbench_ticks_end()
            ticks.append(end - start)
            if end > deadline { break }
        }
        // Of holes alike the lowest, each time; a single slot was not freed.
        precondition(strayed == 0 || count < 2, "not the lowest of the best holes")
        return ticks
    }
}

private struct BestFitChurn: ~Copyable {
    let trace: ChurnTrace
    let range: IOVARange
    var space: IOVASpace
    let slots: SlotTable
    var failures = 0
    var checksum: UInt64 = 0
    private var position = 0

    init(_ trace: ChurnTrace) throws(BenchmarkError) {
        self.trace = trace
        range = workloadRange(byteCount: trace.rangeByteCount)
        slots = SlotTable(count: trace.fill.count)
        do {
            space = try IOVASpace(
                usable: [range], regionCapacity: trace.fill.count, magazine: .off,
                metadata: benchmarkMetadata)
        } catch {
            throw BenchmarkError("no space for \(trace.fill.count) regions: \(error)")
        }
        for index in trace.fill.indices { store(trace.fill[index], in: index, .any) }
    }

    private mutating func store(_ pages: UInt32, in index: Int, _ order: IOVASearchOrder) {
        do {
            let allocation = try space.allocate(
                byteCount: RegionShape.byteCount(pages: pages),
                alignment: RegionShape.alignment(pages: pages), placement: .anywhere(order))
            slots[index] = Slot(allocation, pages: pages)
            checksum = (checksum << 1 | checksum >> 63) ^ allocation.range.first.rawValue
        } catch {
            failures += 1
        }
    }

    private mutating func run(_ step: TraceStep) {
        let index = Int(step.victim)
        let slot = slots[index]
        if slot.isLive {
            do {
                checksum ^= try space.free(slot.handle).last.rawValue
            } catch {
                fatalError("a live region could not be freed: \(error)")
            }
            slots.empty(index)
        }
        store(step.pages, in: index, .bestFit)
    }

    /// The ticks of each block. Ends after so many blocks or `limit` ticks.
    mutating func run(blocks: Int, of count: Int, limit: UInt64) -> [UInt64] {
        var ticks: [UInt64] = []
        ticks.reserveCapacity(blocks)
        let trace = trace
        let steps = trace.steps.span
        let deadline = cbench_ticks_end() + limit
        for _ in 0..<blocks {
            let start = cbench_ticks_begin()
            for index in position..<position + count { run(steps[index]) }
            let end = cbench_ticks_end()
            ticks.append(end - start)
            position += count
            if end > deadline { break }
        }
        return ticks
    }

    func verify() {
        if let fault = slots.fault(within: range) { fatalError("live regions: \(fault)") }
        if let violation = space.invariantViolation() { fatalError("the space: \(violation)") }
    }
}
