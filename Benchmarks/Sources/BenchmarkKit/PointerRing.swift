internal import CBenchmark

/// Elements of 48 bytes, each naming the next; one cycle through all of them.
///
/// Safe to hold: one owner, and every element holds the index of another.
@safe
struct PointerRing: ~Copyable {
    private static let wordsPerElement = 48 / MemoryLayout<Int>.stride
    private let words: UnsafeMutablePointer<Int>
    let count: Int

    init(count: Int, seed: UInt64) {
        self.count = count
        unsafe words = .allocate(capacity: count * Self.wordsPerElement)
        unsafe words.initialize(repeating: 0, count: count * Self.wordsPerElement)
        // A random order visited once around is a single cycle, whatever the order is.
        let order = shuffledOrder(count: count, seed: seed)
        for position in 0..<count {
            let next = order[position + 1 == count ? 0 : position + 1]
            unsafe words[order[position] * Self.wordsPerElement] = next * Self.wordsPerElement
        }
    }

    deinit { unsafe words.deallocate() }

    /// The word index that follows `cursor`, itself 0 or such an answer.
    @inline(__always)
    func next(_ cursor: Int) -> Int { unsafe words[cursor] }

    func walk(blocks: Int, _ limit: UInt64, _ cursor: inout Int) -> [UInt64] {
        var ticks: [UInt64] = []
        let deadline = cbench_ticks_end() + limit
        var at = cursor
        for _ in 0..<blocks {
            let start = cbench_ticks_begin()
            for _ in 0..<ChurnWorkload.stepsPerBlock { at = next(at) }
            let end = cbench_ticks_end()
            ticks.append(end - start)
            if end > deadline { break }
        }
        cursor = at
        return ticks
    }
}
