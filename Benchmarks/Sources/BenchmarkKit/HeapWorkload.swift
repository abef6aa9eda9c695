internal import CBenchmark
internal import VDPAMemory

/// A heap, filled, and the churn that runs on it, through the public API alone.
///
/// One function per loop: nothing generic, nothing allocated under the clock.
@safe
struct HeapWorkload: ~Copyable {
    static let stepsPerBlock = ChurnWorkload.stepsPerBlock

    let trace: ChurnTrace
    private(set) var heap: DMAHeap
    /// A block whose IOVA is 0 is none: a domain never chooses page 0.
    private let slots: UnsafeMutablePointer<DMABlock>
    private(set) var failures = 0
    private(set) var checksum: UInt64 = 0
    private var position = 0

    init(_ trace: ChurnTrace, domain: DMADomain) throws {
        self.trace = trace
        // Extents of up to 2 MiB, and as many bytes as the trace wants, to a page each.
        let wanted = Int(trace.rangeByteCount)
        let count = (wanted + (2 << 20) - 1) / (2 << 20)
        let extent = (wanted / count + 4095) / 4096 * 4096
        heap = try DMAHeap(
            domain,
            options: DMAHeapOptions(
                extentByteCount: extent, extentCapacity: count, initialByteCount: extent * count))
        let raw = UnsafeMutableRawPointer.allocate(
            byteCount: trace.fill.count * MemoryLayout<DMABlock>.stride, alignment: 64)
        // Safe: the memory has this size, and a block is three integers, of which zeros are none.
        unsafe raw.initializeMemory(
            as: UInt8.self, repeating: 0,
            count: trace.fill.count * MemoryLayout<DMABlock>.stride)
        unsafe slots = raw.bindMemory(to: DMABlock.self, capacity: trace.fill.count)
        for index in trace.fill.indices { store(trace.fill[index], in: index) }
    }

    deinit { unsafe slots.deallocate() }

    @inline(__always)
    private mutating func store(_ units: UInt32, in index: Int) {
        guard let block = heap.take(byteCount: Int(units) &* HeapTrace.unitByteCount) else {
            failures &+= 1
            return
        }
        // Safe: a trace draws its victims below the slot count.
        unsafe slots[index] = block
        checksum = (checksum << 1 | checksum >> 63) ^ block.iova.rawValue
    }

    @inline(__always)
    private mutating func run(_ step: TraceStep) {
        let index = Int(step.victim)
        let block = unsafe slots[index]
        if block.iova.rawValue != 0 { heap.give(block) }
        let before = failures
        store(step.pages, in: index)
        if failures != before { empty(index) }
    }

    @inline(never)
    private func empty(_ index: Int) {
        // Safe: as in `store`.
        let raw = unsafe UnsafeMutableRawPointer(slots + index)
        unsafe raw.initializeMemory(
            as: UInt8.self, repeating: 0, count: MemoryLayout<DMABlock>.stride)
    }

    /// Steps in blocks; the ticks of each. Ends after `count` steps or `limit` ticks.
    @inline(never)
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

    /// Ends the process where live blocks overlap, for the process or for the device, or where the
    /// heap's books do not agree: a figure from a broken heap is worth nothing.
    func verify() {
        var live: [DMABlock] = []
        for index in trace.fill.indices {
            let block = unsafe slots[index]
            if block.iova.rawValue != 0 { live.append(block) }
        }
        func overlap(_ starts: [(UInt64, Int)]) -> Bool {
            let sorted = starts.sorted { $0.0 < $1.0 }
            return zip(sorted, sorted.dropFirst()).contains { $0.0 + UInt64($0.1) > $1.0 }
        }
        precondition(!overlap(live.map { ($0.iova.rawValue, $0.byteCount) }), "IOVAs overlap")
        // Safe: addresses as numbers.
        precondition(
            !overlap(live.map { (UInt64(unsafe UInt(bitPattern: $0.address)), $0.byteCount) }),
            "addresses overlap")
        let statistics = heap.statistics
        precondition(statistics.blocks == live.count, "\(statistics), \(live.count) blocks")
        precondition(live.reduce(0) { $0 + $1.byteCount } == statistics.liveByteCount)
        if let violation = heap.invariantViolation() { fatalError("the heap: \(violation)") }
    }
}
