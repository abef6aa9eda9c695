import Testing
import VDPAMemory
import VirtioDriver

/// The driver's half of a queue, with the test as the device: it writes the used ring by hand.
@Suite struct SplitQueueTests {
    /// Memory that no device has, at an address that only the ring's descriptors name.
    @safe private final class Memory {
        let bytes: UnsafeMutableRawBufferPointer
        let block: DriverMemory

        init() {
            unsafe bytes = .allocate(byteCount: 4096, alignment: 4096)
            block = unsafe DriverMemory(
                address: bytes.baseAddress!, iova: IOVA(0x1_0000), byteCount: 4096)
        }

        deinit { unsafe bytes.deallocate() }

        // A queue of 8: 128 bytes of descriptors, the available ring at 128, the used ring at 152.
        func word(_ offset: Int) -> UInt16 {
            unsafe bytes.load(fromByteOffset: offset, as: UInt16.self)
        }
        func set<Value: BitwiseCopyable>(_ offset: Int, _ value: Value) {
            unsafe bytes.storeBytes(of: value, toByteOffset: offset, as: Value.self)
        }

        /// The device is done with a chain.
        func use(_ head: UInt32, number: Int) {
            set(152 + 4 + 8 * (number % 8), head)
            set(152 + 2, UInt16(truncatingIfNeeded: number + 1))
        }
    }

    /// A queue that the macros of the tests take, which want what can be copied.
    private final class Queue {
        private var queue: SplitQueue

        init(_ block: DriverMemory, size: Int, usesEventIndex: Bool) {
            queue = SplitQueue(block, size: size, usesEventIndex: usesEventIndex)
        }

        var addresses: VringAddresses { queue.addresses }
        var freeCount: Int { queue.freeCount }
        var outstanding: Int { queue.outstanding }

        @discardableResult
        func add(_ chain: [Segment], table: DriverMemory? = nil) -> UInt16? {
            queue.add(chain, table: table)
        }

        func publish() -> Bool { queue.publish() }
        func take() throws -> UInt16? { try queue.take()?.head }
    }

    private static func chain(_ count: Int) -> [Segment] {
        (0..<count).map { index in
            Segment(
                DMASlice(iova: IOVA(0x2000 + UInt64(index)), byteCount: 16),
                isWritten: index > 0)
        }
    }

    @Test func `a full queue takes no chain, and descriptors come back in any order`() throws {
        let memory = Memory()
        let queue = Queue(memory.block, size: 8, usesEventIndex: false)
        #expect(queue.addresses.available == IOVA(0x1_0080))
        #expect(queue.addresses.used == IOVA(0x1_0098))
        var used = 0
        for _ in 0..<50 {
            let first = try #require(queue.add(SplitQueueTests.chain(3)))
            let second = try #require(queue.add(SplitQueueTests.chain(4)))
            #expect(queue.freeCount == 1)
            #expect(queue.add(SplitQueueTests.chain(2)) == nil)
            let third = try #require(queue.add(SplitQueueTests.chain(1)))
            #expect(queue.publish())
            #expect(memory.word(128 + 2) == UInt16(truncatingIfNeeded: used + 3))
            #expect(!queue.publish(), "nothing new")
            for head in [second, third, first] {
                memory.use(UInt32(head), number: used)
                used += 1
                #expect(try queue.take() == head)
            }
            #expect(try queue.take() == nil)
            #expect(queue.freeCount == 8)
            #expect(queue.outstanding == 0)
        }
    }

    @Test(arguments: [8, 0xffff_ffff, 5] as [UInt32])
    func `a used ring that names no chain that is out is an error, not an access`(
        _ number: UInt32
    ) throws {
        let memory = Memory()
        let queue = Queue(memory.block, size: 8, usesEventIndex: false)
        let head = try #require(queue.add(SplitQueueTests.chain(2)))
        #expect(UInt32(head) != number)
        _ = queue.publish()
        memory.use(number, number: 0)
        #expect(throws: DriverError.self) { _ = try queue.take() }
        #expect(queue.outstanding == 1)
    }

    @Test func `a kick is left out where the device asks for none`() throws {
        let memory = Memory()
        let flags = Queue(memory.block, size: 8, usesEventIndex: false)
        memory.set(152, UInt16(1))
        flags.add(SplitQueueTests.chain(1))
        #expect(!flags.publish())
        memory.set(152, UInt16(0))
        flags.add(SplitQueueTests.chain(1))
        #expect(flags.publish())

        let events = Queue(memory.block, size: 8, usesEventIndex: true)
        // avail_event 1: a kick with the second chain, and not again until it moves.
        memory.set(152 + 4 + 64, UInt16(1))
        for wanted in [false, true, false, false] {
            events.add(SplitQueueTests.chain(1))
            #expect(events.publish() == wanted)
        }
        // Several at once that pass the index are one kick.
        memory.set(152 + 4 + 64, UInt16(5))
        for _ in 0..<3 { events.add(SplitQueueTests.chain(1)) }
        #expect(events.publish())
    }

    @Test func `an indirect chain takes one descriptor, and its table holds the links`() throws {
        let memory = Memory()
        let queue = Queue(
            memory.block.part(from: 0, byteCount: 2048), size: 8, usesEventIndex: false)
        let table = memory.block.part(from: 2048, byteCount: 16 * 4)
        let head = try #require(queue.add(SplitQueueTests.chain(4), table: table))
        #expect(queue.freeCount == 7)
        #expect(memory.word(16 * Int(head) + 12) == 4, "INDIRECT")
        let flags = (0..<4).map { memory.word(2048 + 16 * $0 + 12) }
        #expect(flags == [1, 3, 3, 2], "NEXT, and WRITE from the second on")
    }
}
