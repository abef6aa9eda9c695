internal import CBenchmark
internal import IOVAAllocator

/// The spaces' bookkeeping on huge pages, as `DMADomain` has it.
let benchmarkMetadata = IOVAMetadataOptions(advice: { address, byteCount in
    // Safe: the block is the space's own, and advice changes no content.
    _ = unsafe cbench_advise_huge(UnsafeMutableRawPointer(bitPattern: address), byteCount)
})

/// A space, filled, and the churn that runs on it: the engine of W1, W2 and of W4's preparation.
///
/// Concrete types and one function per loop: nothing generic, nothing allocated under the clock.
struct ChurnWorkload: ~Copyable {
    static let stepsPerBlock = 256
    /// Of a run. Each takes the time of sorting all slots.
    static let refusalsChecked = 64

    let trace: ChurnTrace
    let range: IOVARange
    private(set) var space: IOVASpace
    let slots: SlotTable
    private(set) var failures = 0
    private(set) var checksum: UInt64 = 0
    private var position = 0

    init(
        _ trace: ChurnTrace, magazine: IOVAMagazineLimits? = nil
    ) throws(BenchmarkError) {
        self.trace = trace
        range = workloadRange(byteCount: trace.rangeByteCount)
        slots = SlotTable(count: trace.fill.count)
        do {
            space = try IOVASpace(
                usable: [range], regionCapacity: trace.fill.count, magazine: magazine,
                metadata: benchmarkMetadata)
        } catch {
            throw BenchmarkError("no space for \(trace.fill.count) regions: \(error)")
        }
        for index in trace.fill.indices { store(trace.fill[index], in: index) }
    }

    @inline(__always)
    private mutating func store(_ pages: UInt32, in index: Int) {
        do {
            let allocation = try space.allocate(
                byteCount: RegionShape.byteCount(pages: pages),
                alignment: RegionShape.alignment(pages: pages))
            slots[index] = Slot(allocation, pages: pages)
            checksum = (checksum << 1 | checksum >> 63) ^ allocation.range.first.rawValue
        } catch {
            refused(pages, by: error)
        }
    }

    /// Ends the process where an aligned hole exists. Looks for one at the first refusals only: it
    /// takes the time of sorting all slots, which the other figures are spared.
    @inline(never)
    private mutating func refused(_ pages: UInt32, by error: IOVASpaceError) {
        failures += 1
        guard failures <= Self.refusalsChecked, let hole = slots.hole(for: pages, within: range)
        else { return }
        fatalError("\(pages) pages fit at \(IOVA(hole)), and yet: \(error)")
    }

    @inline(__always)
    private mutating func release(_ index: Int) {
        let slot = slots[index]
        guard slot.isLive else { return }
        do {
            checksum ^= try space.free(slot.handle).last.rawValue
        } catch {
            fatalError("a live region could not be freed: \(error)")
        }
        slots.empty(index)
    }

    @inline(__always)
    private mutating func run(_ step: TraceStep) {
        release(Int(step.victim))
        store(step.pages, in: Int(step.victim))
    }

    /// Steps in blocks; the ticks of each full block. Ends after `count` steps or `limit` ticks.
    mutating func runBlocks(count: Int, limit: UInt64) -> [UInt64] {
        let blocks = count / Self.stepsPerBlock
        var ticks: [UInt64] = []
        ticks.reserveCapacity(blocks)
        let trace = trace
        let steps = trace.steps.span
        let deadline = cbench_ticks_end() + limit
        for _ in 0..<blocks {
            let start = cbench_ticks_begin()
            for index in position..<position + Self.stepsPerBlock { run(steps[index]) }
            let end = cbench_ticks_end()
            ticks.append(end - start)
            position += Self.stepsPerBlock
            if end > deadline { break }
        }
        return ticks
    }

    /// Steps timed one by one. Ends after `count` steps or `limit` ticks.
    mutating func runSingly(count: Int, limit: UInt64) -> [UInt64] {
        var ticks: [UInt64] = []
        ticks.reserveCapacity(count)
        let trace = trace
        let steps = trace.steps.span
        let deadline = cbench_ticks_end() + limit
        for _ in 0..<count {
            let step = steps[position]
            let start = cbench_ticks_begin()
            run(step)
            let end = cbench_ticks_end()
            ticks.append(end - start)
            position += 1
            if end > deadline { break }
        }
        return ticks
    }

    /// Ends the process where the space handed out what it must not: a figure from a broken
    /// allocator is worth nothing.
    func verify() {
        if let fault = slots.fault(within: range) { fatalError("live regions: \(fault)") }
        let live = (0..<slots.count).count { slots[$0].isLive }
        precondition(space.regionCount == live, "\(space.regionCount) regions, not \(live)")
        if let violation = space.invariantViolation() { fatalError("the space: \(violation)") }
    }

    /// Each query's answer: the first address of the region that holds it.
    @inline(__always)
    func regionStart(containing address: UInt64) -> UInt64 {
        space.entry(containing: IOVA(address))?.range.first.rawValue ?? 0
    }
}
