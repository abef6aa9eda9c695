import CDatapath
import TestSupport
import Testing

/// Threads at once on a heap behind its own lock; also under ThreadSanitizer.
///
/// `VDPA_SEED` replays each thread's draws, not how they meet; `VDPA_SHARED_STEPS` their number.
@Suite struct HeapThreadTests {
    @Test func `nobody has another's granule, while extents come and go`() throws {
        let seed = TestKnobs.seed(0x7ead_0001)
        print("heap threads: seed \(seed): replay with VDPA_SEED=\(seed)")
        let steps = TestKnobs.count("VDPA_SHARED_STEPS", 10_000)
        let heap = try SharedHeap()
        let crew = ThreadCrew(count: 4)
        defer { crew.end() }
        let passed = Guarded<[Lent]>([])
        let wrong = Guarded(0)
        crew.runAll { thread in
            var random = SeededGenerator(seed: seed &+ UInt64(thread))
            for step in 0..<steps {
                if thread == 0, step % 50 == 0 { heap.changeExtents(&random) }
                let granules = 1 + random.below(random.pick([1, 4, 90]))
                if let block = heap.take(granules, aligned: random.chance(oneIn: 8)) {
                    // Plain writes: two owners would be a race.
                    heap.stamp(block, with: UInt32(thread) + 1)
                    passed.withLock { $0.append(Lent(block: block, owner: UInt32(thread) + 1)) }
                }
                let lent = passed.withLock { all -> Lent? in
                    guard all.count > 16 || random.chance(oneIn: 2), !all.isEmpty else {
                        return nil
                    }
                    return all.remove(at: random.below(all.count))
                }
                guard let lent else { continue }
                let isIntact = heap.isStamped(lent.block, with: lent.owner)
                heap.stamp(lent.block, with: 0)
                if !isIntact || !heap.give(lent.block) { wrong.withLock { $0 += 1 } }
            }
        }
        #expect(wrong.withLock { $0 } == 0)
        for lent in passed.withLock({ $0 }) { #expect(heap.give(lent.block)) }
        #expect(heap.fault == nil)
        #expect(heap.liveBlocks == 0)
    }
}

private struct Lent: Sendable {
    let block: cdp_block
    let owner: UInt32
}

/// A heap of two or three extents behind its lock, and a word for every granule.
@safe
private final class SharedHeap: @unchecked Sendable {
    private static let granules = 512
    private let heap: UnsafeMutablePointer<cdp_heap>
    // Safe to send: a word belongs to whoever has its granule, and the heap to the lock's holder.
    private let words: UnsafeMutablePointer<UInt32>
    private var hasThird = false

    init() throws {
        let options = cdp_heap_options(
            granule_byte_count: 64, extent_byte_count: UInt64(Self.granules) * 64,
            extent_capacity: 3, low_byte_count: 4096, search_limit: .max)
        guard let made = unsafe cdp_heap_create(options) else { throw HeapMismatch("no heap") }
        unsafe heap = made
        unsafe words = .allocate(capacity: 3 * Self.granules)
        unsafe words.initialize(repeating: 0, count: 3 * Self.granules)
        for number in 0..<2 { add(number) }
    }

    deinit {
        unsafe cdp_heap_destroy(heap)
        unsafe words.deallocate()
    }

    /// The extents follow each other, with a hole between: an address tells the word.
    private func add(_ number: Int) {
        let address = UInt64(number + 1) << 20
        let size = UInt64(Self.granules) * 64
        unsafe cdp_heap_lock(heap)
        unsafe cdp_heap_add_extent(heap, UInt32(number), address, address, size)
        unsafe cdp_heap_unlock(heap)
        unsafe cdp_heap_lower_low(heap)
    }

    /// By one thread alone.
    func changeExtents(_ random: inout SeededGenerator) {
        if hasThird {
            unsafe cdp_heap_lock(heap)
            let isGone = unsafe cdp_heap_remove_extent(heap, 2)
            unsafe cdp_heap_unlock(heap)
            if isGone {
                hasThird = false
            }
        } else if random.chance(oneIn: 2) {
            add(2)
            hasThird = true
        }
    }

    func take(_ granules: Int, aligned: Bool) -> cdp_block? {
        unsafe cdp_heap_lock(heap)
        let block = unsafe cdp_heap_take_aligned(heap, UInt64(granules) * 64, aligned ? 512 : 1)
        unsafe cdp_heap_unlock(heap)
        return block.address == 0 ? nil : block
    }

    func give(_ block: cdp_block) -> Bool {
        unsafe cdp_heap_lock(heap)
        defer { unsafe cdp_heap_unlock(heap) }
        return unsafe cdp_heap_give(heap, block)
    }

    private func places(_ block: cdp_block) -> Range<Int> {
        let number = Int(block.address >> 20) - 1
        let start = number * Self.granules + Int(block.address & 0xf_ffff) / 64
        return start..<start + Int(cdp_block_byte_count(block)) / 64
    }

    func stamp(_ block: cdp_block, with owner: UInt32) {
        // Safe: the places are in bounds for a block of this heap.
        for place in places(block) { unsafe words[place] = owner }
    }

    func isStamped(_ block: cdp_block, with owner: UInt32) -> Bool {
        places(block).allSatisfy { unsafe words[$0] == owner }
    }

    var fault: String? { unsafe cdp_heap_fault(heap).map { unsafe String(cString: $0) } }

    var liveBlocks: UInt64 { unsafe cdp_heap_statistics(heap).live_blocks }
}
