import TestSupport
import Testing
import VDPAMemory
import VDPASimulator

@Suite("A heap that threads share")
struct SharedHeapTests {
    @Test func `blocks taken by one thread are given by another, while extents come and go`() throws
    {
        let seed = TestKnobs.seed(0x5a4e_0001)
        print("shared heap: seed \(seed): replay with VDPA_SEED=\(seed)")
        let world = try DomainWorld()
        let heap = try SharedDMAHeap(
            world.domain, options: HeapTests.small(16 << 10, extents: 6))
        let crew = ThreadCrew(count: 4)
        defer { crew.end() }
        let passed = Guarded<[DMABlock]>([])
        let wrong = Guarded(0)
        crew.runAll { thread in
            var random = SeededGenerator(seed: seed &+ UInt64(thread))
            for step in 0..<3000 {
                if thread == 0, step % 100 == 0 {
                    // Growing may be refused: all extents may be there.
                    try? heap.grow(byteCount: 1)
                    do { try heap.trim() } catch { wrong.withLock { $0 += 1 } }
                }
                let size = 1 + random.below(random.pick([64, 1000, 5000]))
                if let block = heap.take(byteCount: size, zeroed: random.chance(oneIn: 4)) {
                    let stamp = UInt64(thread) << 32 | UInt64(step)
                    // Safe: the block is this thread's until it is passed on.
                    unsafe block.address.storeBytes(of: stamp, as: UInt64.self)
                    if unsafe block.address.load(as: UInt64.self) != stamp {
                        wrong.withLock { $0 += 1 }
                    }
                    passed.withLock { $0.append(block) }
                }
                let block = passed.withLock { blocks -> DMABlock? in
                    blocks.count > 12 || random.chance(oneIn: 2)
                        ? blocks.isEmpty ? nil : blocks.remove(at: random.below(blocks.count))
                        : nil
                }
                if let block { heap.give(block) }
            }
        }
        #expect(wrong.withLock { $0 } == 0 && heap.invariantViolation() == nil)
        #expect(heap.statistics.blocks == passed.withLock { $0.count })
        for block in passed.withLock({ $0 }) { heap.give(block) }
        try heap.trim(keeping: 0)
        #expect(heap.statistics.byteCount == 0 && world.domain.statistics.regions == 0)
        #expect(heap.take(byteCount: 1) == nil && heap.isLow)
        try heap.add(try world.domain.allocate(byteCount: 4096))
        #expect(!heap.isLow && heap.take(byteCount: 4096, alignment: 4096) != nil)
        heap.lowerFlag()
    }
}
