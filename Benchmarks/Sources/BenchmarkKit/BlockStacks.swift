internal import CBenchmark

/// The reference of the suite `heap`: an array of blocks for each size, last in, first out, and a
/// frontier for what no array has.
@safe
struct BlockStacks: ~Copyable {
    /// As large as what a heap hands out.
    private typealias Element = (address: UInt64, iova: UInt64, units: UInt64)
    private static let sizes = 17

    private let trace: ChurnTrace
    private let slots: UnsafeMutablePointer<Element>
    /// `fill.count + 1` places for each size: a size never has more blocks than were ever out.
    private let places: UnsafeMutablePointer<Element>
    private let counts: UnsafeMutablePointer<Int>
    private var frontier: UInt64 = 1 << 32
    private(set) var checksum: UInt64 = 0
    private var position = 0

    init(_ trace: ChurnTrace) {
        self.trace = trace
        let count = trace.fill.count
        unsafe slots = .allocate(capacity: count)
        unsafe slots.initialize(repeating: (0, 0, 0), count: count)
        unsafe places = .allocate(capacity: (count + 1) * Self.sizes)
        unsafe counts = .allocate(capacity: Self.sizes)
        unsafe counts.initialize(repeating: 0, count: Self.sizes)
        for index in 0..<count { store(UInt64(trace.fill[index]), in: index) }
    }

    deinit {
        unsafe slots.deallocate()
        unsafe places.deallocate()
        unsafe counts.deallocate()
    }

    @inline(__always)
    private mutating func store(_ units: UInt64, in index: Int) {
        let size = Int(units)
        let count = unsafe counts[size]
        let element: Element
        // Safe: sizes are 1 to 16, and slots below the count.
        if count > 0 {
            unsafe element = places[size &* (trace.fill.count &+ 1) &+ count &- 1]
            unsafe counts[size] = count &- 1
        } else {
            element = (frontier, frontier, units)
            frontier &+= units &* UInt64(HeapTrace.unitByteCount)
        }
        unsafe slots[index] = element
        checksum = (checksum << 1 | checksum >> 63) ^ element.iova
    }

    @inline(never)
    mutating func runBlocks(count: Int, limit: UInt64) -> [UInt64] {
        let blocks = count / HeapWorkload.stepsPerBlock
        var ticks: [UInt64] = []
        ticks.reserveCapacity(blocks)
        let trace = trace
        let steps = trace.steps.span
        let capacity = trace.fill.count &+ 1
        let deadline = cbench_ticks_end() + limit
        for _ in 0..<blocks {
            let start = cbench_ticks_begin()
            for index in position..<position + HeapWorkload.stepsPerBlock {
                let step = steps[index]
                let old = unsafe slots[Int(step.victim)]
                let size = Int(old.units)
                let top = unsafe counts[size]
                unsafe places[size &* capacity &+ top] = old
                unsafe counts[size] = top &+ 1
                store(UInt64(step.pages), in: Int(step.victim))
            }
            let end = cbench_ticks_end()
            ticks.append(end - start)
            position += HeapWorkload.stepsPerBlock
            if end > deadline { break }
        }
        return ticks
    }
}
