import Foundation
import Testing
import VDPAMemory
import VDPASimulator

@Suite("Extents of a heap: grown, trimmed, and every call failed once")
struct HeapGrowthTests {
    @Test func `extents come in one batch, and go in one, but for one that is kept`() throws {
        let world = try DomainWorld()
        let heap = try TestHeap(
            world.domain, options: HeapTests.small(8192, extents: 5) { $0.initialByteCount = 0 })
        #expect(heap.statistics.extents == 0 && heap.take(byteCount: 64) == nil && heap.isLow)
        let batches = world.domain.statistics.batchMessages
        try heap.grow(byteCount: 4 * 8192 - 1)
        #expect(!heap.isLow && heap.statistics.extents == 4)
        #expect(world.domain.statistics.batchMessages == batches + 2, "BEGIN and END")
        // A block in the second extent keeps that one.
        let blocks = try (0..<2).map { _ in try #require(heap.take(byteCount: 8192)) }
        heap.give(blocks[0])
        #expect(try heap.trim() == 2 && heap.statistics.extents == 2)
        #expect(try heap.trim() == 0)
        heap.give(blocks[1])
        #expect(try heap.trim() == 1 && heap.statistics.extents == 1)
        #expect(try heap.trim(keeping: 0) == 1 && heap.statistics.byteCount == 0)
        #expect(heap.take(byteCount: 64) == nil && heap.isLow)
        #expect(world.domain.statistics.extents == 0 && world.simulator.pinnedByteCount == 0)
        try heap.grow(byteCount: 1)
        #expect(heap.take(byteCount: 64) != nil && heap.invariantViolation() == nil)
    }

    @Test func `a heap that is full of extents says so and stays as it is`() throws {
        let world = try DomainWorld()
        let heap = try TestHeap(world.domain, options: HeapTests.small(4096, extents: 2))
        let before = DomainSnapshot(world)
        for (size, code) in [(8192, DMAError.Code.heapCapacity), (-1, .invalidArgument)] {
            do throws(DMAError) {
                try heap.grow(byteCount: size)
                Issue.record("grown by \(size)")
            } catch {
                #expect(error.code == code, "\(error)")
            }
        }
        try heap.grow(byteCount: 0)
        #expect(DomainSnapshot(world) == before && heap.statistics.extents == 1)
        try heap.grow(byteCount: 4096)
        #expect(heap.statistics.extents == 2)
    }

    @Test func `a heap takes regions over, of its own domain and size`() throws {
        let world = try DomainWorld()
        let heap = try TestHeap(
            try world.domain.allocate(byteCount: 3 << 20), options: HeapTests.small(4096))
        #expect(heap.take(byteCount: 3 << 20) != nil)
        // A shared region, carved from an extent of the domain's.
        try heap.add(try world.domain.allocate(byteCount: 8192))
        #expect(heap.take(byteCount: 8192) != nil)
        let other = try DomainWorld()
        let before = (DomainSnapshot(world), DomainSnapshot(other))
        let large = try world.domain.allocate(byteCount: 4 << 20)
        do throws(DMAError) {
            try heap.add(large)
            Issue.record("a region larger than an extent")
        } catch {
            #expect(error.code == .invalidArgument && error.limit == 3 << 20)
        }
        let foreign = try other.domain.allocate(byteCount: 2 << 20)
        do throws(DMAError) {
            try heap.add(foreign)
            Issue.record("a region of another domain")
        } catch {
            #expect(error.code == .invalidArgument)
        }
        #expect(DomainSnapshot(world) == before.0 && DomainSnapshot(other) == before.1)
        #expect(heap.statistics.extents == 2 && heap.invariantViolation() == nil)
    }

    @Test func `the end of a heap frees its extents, whatever is out`() throws {
        let world = try DomainWorld()
        let before = DomainSnapshot(world)
        do {
            let heap = try TestHeap(world.domain, options: HeapTests.small(2 << 20))
            #expect(heap.take(byteCount: 100) != nil)
        }
        #expect(DomainSnapshot(world) == before)
        let explicit = try DMAHeap(world.domain, options: HeapTests.small(2 << 20))
        try explicit.free()
        #expect(DomainSnapshot(world) == before && world.domain.statistics.failedFrees == 0)
    }

    @Test func `a closed domain ends growth, and the process keeps its blocks`() throws {
        let world = try DomainWorld()
        let heap = try TestHeap(world.domain, options: HeapTests.small(4096))
        let block = try #require(heap.take(byteCount: 64))
        world.domain.close()
        // Safe: the heap keeps the memory.
        unsafe block.address.storeBytes(of: 7, as: UInt64.self)
        #expect(throws: DMAError.self) { try heap.grow(byteCount: 1) }
        heap.give(block)
        #expect(heap.invariantViolation() == nil)
    }

    enum Change: String, CaseIterable, Sendable { case make, grow, trim, free }

    /// Fails call 1, 2, ... of a change until it succeeds.
    @Test(arguments: DeviceKind.allCases, Change.allCases)
    func `a failed call leaves heap and domain as they were`(
        _ kind: DeviceKind, _ change: Change
    ) throws {
        var number = 1
        while number < 50 {
            let world = try DomainWorld(kind.configuration)
            let options = HeapTests.small(8192, extents: 8) { $0.initialByteCount = 3 * 8192 }
            let empty = DomainSnapshot(world)
            if change == .make {
                world.simulator.failCall(world.simulator.calls + number, errno: EIO)
                if (try? TestHeap(world.domain, options: options)) != nil { break }
                #expect(DomainSnapshot(world) == empty, "call \(number)")
                number += 1
                continue
            }
            if change == .free {
                var heap = try DMAHeap(try Self.apart(world, 0), options: options)
                for place in 1..<3 { try heap.add(try Self.apart(world, place)) }
                world.simulator.failCall(world.simulator.calls + number, errno: EIO)
                do throws(DMAError) {
                    try heap.free()
                    break
                } catch {
                    // The failure is over: what was left has been freed one by one.
                    #expect(error.errno == EIO)
                    #expect(world.domain.statistics.regions == 0, "call \(number)")
                    try world.domain.remap()
                    #expect(DomainSnapshot(world) == empty, "call \(number)")
                }
                number += 1
                continue
            }
            let heap = try TestHeap(try Self.apart(world, 0), options: options)
            for place in 1..<3 { try heap.add(try Self.apart(world, place)) }
            let before = (DomainSnapshot(world), heap.statistics)
            world.simulator.failCall(world.simulator.calls + number, errno: EIO)
            do throws(DMAError) {
                if change == .grow { try heap.grow(byteCount: 3 * 8192) } else { try heap.trim() }
                break
            } catch {
                #expect(error.errno == EIO, "call \(number): \(error)")
            }
            #expect(DomainSnapshot(world) == before.0, "call \(number)")
            #expect(heap.statistics == before.1 && heap.invariantViolation() == nil)
            // It still works.
            try heap.grow(byteCount: 8192)
            #expect(try heap.trim(keeping: 0) == 4)
            #expect(DomainSnapshot(world) == empty, "call \(number)")
            number += 1
        }
        // Without batches there is a call for each extent; `make` maps three that touch.
        let least = change == .trim ? 2 : change == .free ? 3 : 1
        #expect(number > least, "\(number - 1) calls were made to fail")
    }

    /// A region that touches no other: each is a message of its own.
    private static func apart(_ world: DomainWorld, _ place: Int) throws(DMAError) -> DMARegion {
        try world.domain.allocate(
            byteCount: 8192,
            options: .init(placement: .fixed(IOVA(0x4000_0000 + UInt64(place) << 24))))
    }

    @Test func `no mapping and no descriptor of this process is left behind`() async {
        // In a process of its own: other tests allocate as well.
        await #expect(processExitsWith: .success) {
            let world = try DomainWorld()
            let before = try ProcessFootprint()
            for number in 1...6 {
                world.simulator.failCall(world.simulator.calls + number, errno: EIO)
                _ = try? TestHeap(world.domain, options: HeapTests.small(8192))
                world.simulator.clearFaultPlan()
                let heap = try TestHeap(world.domain, options: HeapTests.small(8192))
                try heap.grow(byteCount: 2 * 8192)
                try heap.trim()
            }
            try world.domain.flush()
            #expect(try ProcessFootprint() == before)
        }
    }
}
