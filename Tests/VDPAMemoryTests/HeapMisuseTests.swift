import Testing
import VDPAMemory
import VDPASimulator

@Suite("A heap takes back only what is out, in release as in debug")
struct HeapMisuseTests {
    static func heap(_ world: DomainWorld) throws -> TestHeap {
        try TestHeap(world.domain, options: HeapTests.small(4096))
    }

    /// The message of the trap.
    static func says(_ text: String, _ result: ExitTest.Result?) -> Bool {
        String(decoding: result?.standardErrorContent ?? [], as: UTF8.self).contains(text)
    }

    @Test func `a block given twice traps`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let heap = try HeapMisuseTests.heap(DomainWorld())
            guard let block = heap.take(byteCount: 100) else { return }
            heap.give(block)
            heap.give(block)
        }
        #expect(Self.says("given back already", result))
    }

    @Test func `a block whose place is another's now traps`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let heap = try HeapMisuseTests.heap(DomainWorld())
            guard let block = heap.take(byteCount: 100) else { return }
            heap.give(block)
            guard let next = heap.take(byteCount: 100), next.iova == block.iova else { return }
            heap.give(block)
        }
        #expect(Self.says("another block's now", result))
    }

    @Test func `a block of another heap traps`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let world = try DomainWorld()
            let heap = try HeapMisuseTests.heap(world)
            let other = try HeapMisuseTests.heap(world)
            guard heap.take(byteCount: 100) != nil, let block = other.take(byteCount: 100)
            else { return }
            heap.give(block)
        }
        #expect(Self.says("of another heap", result))
    }

    @Test func `a block of an extent that was trimmed traps`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let heap = try HeapMisuseTests.heap(DomainWorld())
            guard let block = heap.take(byteCount: 100) else { return }
            heap.give(block)
            try heap.trim(keeping: 0)
            heap.give(block)
        }
        #expect(Self.says("trimmed", result))
    }

    @Test func `a shared heap traps as well`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let world = try DomainWorld()
            let heap = try SharedDMAHeap(world.domain, options: HeapTests.small(4096))
            guard let block = heap.take(byteCount: 100) else { return }
            heap.give(block)
            heap.give(block)
        }
        #expect(Self.says("given back already", result))
    }

    @Test func `an alignment that is no power of two traps`() async {
        await #expect(processExitsWith: .failure) {
            let heap = try HeapMisuseTests.heap(DomainWorld())
            _ = heap.take(byteCount: 100, alignment: 96)
        }
    }
}
