import Testing
import VDPAMemory
import VDPASimulator

@Suite("Blocks of a heap")
struct HeapTests {
    static func small(
        _ byteCount: Int, extents: Int = 4, _ change: (inout DMAHeapOptions) -> Void = { _ in }
    ) -> DMAHeapOptions {
        var options = DMAHeapOptions(extentByteCount: byteCount, extentCapacity: extents)
        options.initialByteCount = byteCount
        change(&options)
        return options
    }

    @Test func `a block is 24 bytes, trivial, and tells its size in whole granules`() throws {
        #expect(MemoryLayout<DMABlock>.size == 24 && _isPOD(DMABlock.self))
        let world = try DomainWorld()
        for granule in [64, 256, 4096] {
            let heap = try TestHeap(
                world.domain, options: Self.small(64 << 10) { $0.granuleByteCount = granule })
            for (asked, got) in [
                (1, granule), (granule, granule), (granule + 1, 2 * granule), (9000, 0),
            ] {
                let block = try #require(heap.take(byteCount: asked))
                let expected = got == 0 ? (asked + granule - 1) / granule * granule : got
                #expect(block.byteCount == expected, "\(asked) in granules of \(granule)")
            }
            #expect(heap.invariantViolation() == nil)
        }
    }

    @Test func `64 bytes to the extent's size; nothing beyond, and no flag for what never fits`()
        throws
    {
        let world = try DomainWorld()
        let heap = try TestHeap(world.domain, options: Self.small(64 << 10))
        for size in [0, -1, .min, (64 << 10) + 1, .max] {
            #expect(heap.take(byteCount: size) == nil, "\(size)")
        }
        #expect(heap.take(byteCount: 64, alignment: 128 << 10) == nil)
        #expect(!heap.isLow, "growing would not help")
        let whole = try #require(heap.take(byteCount: 64 << 10))
        #expect(whole.byteCount == 64 << 10 && heap.statistics.freeByteCount == 0)
        #expect(heap.take(byteCount: 1) == nil && heap.isLow)
        heap.lowerFlag()
        #expect(!heap.isLow)
        heap.give(whole)
        var count = 0
        while heap.take(byteCount: 64) != nil { count += 1 }
        #expect(count == 1024 && heap.isLow && heap.invariantViolation() == nil)
    }

    @Test func `every power of two up to the extent aligns address and IOVA alike`() throws {
        let world = try DomainWorld()
        // One page of 2 MiB or 2 MiB-aligned memory would align 2 MiB; 4 KiB pages need not.
        let heap = try TestHeap(world.domain, options: Self.small(2 << 20))
        var alignment = 1
        while alignment <= 4096 {
            _ = try #require(heap.take(byteCount: 64))
            let block = try #require(heap.take(byteCount: 100, alignment: alignment))
            let address = unsafe UInt(bitPattern: block.address)
            #expect(address % UInt(alignment) == 0)
            #expect(block.iova.rawValue % UInt64(alignment) == 0, "\(alignment)")
            alignment *= 2
        }
        #expect(heap.invariantViolation() == nil)
    }

    @Test func `an alignment that extents must have is had, or refused with nothing left`() throws {
        let world = try DomainWorld()
        let before = DomainSnapshot(world)
        let wanted = 2 << 20
        var options = Self.small(wanted) { $0.alignment = wanted }
        options.memory.pages = .exactly(.size4KiB)
        do throws(DMAError) {
            let heap = try TestHeap(world.domain, options: options)
            let block = heap.take(byteCount: wanted, alignment: wanted)
            #expect(block.map { $0.iova.rawValue % UInt64(wanted) } == 0)
        } catch {
            #expect(error.code == .noSpace && error.range != nil)
        }
        #expect(DomainSnapshot(world) == before)
    }

    @Test func `a zeroed block reads as zeros, although its place was written to`() throws {
        let world = try DomainWorld()
        let heap = try TestHeap(world.domain, options: Self.small(4096))
        let first = try #require(heap.take(byteCount: 1000))
        // Safe: the block is this test's.
        unsafe first.bytes.initializeMemory(as: UInt8.self, repeating: 0xee)
        let iova = first.iova
        heap.give(first)
        let second = try #require(heap.take(byteCount: 1000, zeroed: true))
        #expect(second.iova == iova)
        #expect(unsafe second.bytes.allSatisfy { $0 == 0 })
        #expect(second.byteCount == 1024)
    }

    @Test func `a mark raises the flag as soon as fewer bytes are free`() throws {
        let world = try DomainWorld()
        let heap = try TestHeap(world.domain, options: Self.small(4096) { $0.lowWaterMark = 1024 })
        _ = heap.take(byteCount: 3072)
        #expect(!heap.isLow)
        _ = heap.take(byteCount: 64)
        #expect(heap.isLow)
    }

    @Test func `statistics tell live, free, largest, waste and fragmentation`() throws {
        let world = try DomainWorld()
        let heap = try TestHeap(world.domain, options: Self.small(4096))
        let blocks = try (0..<4).map { _ in try #require(heap.take(byteCount: 1000)) }
        var now = heap.statistics
        #expect(now.liveByteCount == 4096 && now.freeByteCount == 0 && now.fragmentation == 0)
        #expect(now.wastedByteCount == 4 * 24 && now.blocks == 4 && now.extents == 1)
        heap.give(blocks[0])
        heap.give(blocks[2])
        now = heap.statistics
        #expect(now.freeByteCount == 2048 && now.largestFreeByteCount == 1024)
        #expect(now.fragmentation == 0.5 && now.wastedByteCount == 2 * 24)
        heap.give(blocks[1])
        #expect(heap.statistics.fragmentation == 0 && heap.statistics.largestFreeByteCount == 3072)
    }

    @Test func `the device reaches a block, and faults where an extent was freed`() throws {
        let world = try DomainWorld()
        let heap = try TestHeap(world.domain, options: Self.small(64 << 10))
        let block = try #require(heap.take(byteCount: 256, alignment: 256, zeroed: true))
        #expect(world.simulator.write([1, 2, 3, 4], at: block.iova))
        #expect(unsafe block.bytes.prefix(5).elementsEqual([1, 2, 3, 4, 0]))
        // Safe: inside the block.
        unsafe block.bytes.storeBytes(of: 0x0807_0605, toByteOffset: 252, as: UInt32.self)
        let last = IOVA(block.iova.rawValue + 252)
        #expect(world.simulator.read(last, byteCount: 4) == [5, 6, 7, 8])
        // A device that writes past its block spoils its neighbour, not the heap.
        #expect(world.simulator.write(Array(repeating: 0xff, count: 4096), at: block.iova))
        #expect(heap.invariantViolation() == nil && world.simulator.faults.isEmpty)
        heap.give(block)
        #expect(try heap.trim(keeping: 0) == 1)
        #expect(world.simulator.read(block.iova, byteCount: 4) == nil)
        #expect(world.simulator.faults.count == 1)
    }

    @Test func `what a heap cannot be is refused`() throws {
        let world = try DomainWorld()
        let before = DomainSnapshot(world)
        let changes: [(inout DMAHeapOptions) -> Void] = [
            { $0.granuleByteCount = 63 }, { $0.granuleByteCount = 8192 },
            { $0.granuleByteCount = 96 }, { $0.extentByteCount = 0 },
            { $0.extentByteCount = (64 << 24) + 1 }, { $0.extentCapacity = 0 },
            { $0.extentCapacity = 2049 }, { $0.initialByteCount = -1 },
            { $0.lowWaterMark = -1 }, { $0.searchLimit = -1 }, { $0.alignment = 3 },
            { $0.alignment = 0 },
            { ($0.extentByteCount, $0.extentCapacity, $0.initialByteCount) = (1 << 30, 2048, 0) },
        ]
        for (index, change) in changes.enumerated() {
            let refusal = try world.refusal { () throws(DMAError) in
                _ = try DMAHeap(world.domain, options: Self.small(4096, change))
            }
            #expect(refusal.error.code == .invalidArgument, "\(index): \(refusal.error)")
            #expect(refusal.messages == 0)
        }
        #expect(DomainSnapshot(world) == before)
    }
}
