import Glibc
import Synchronization
import Testing
import VDPAMemory
import VDPASimulator

/// What a batch does with ranges that it frees, and with what waits where it wants to place.
@Suite("Batches that reuse what they free")
struct DomainBatchOrderTests {
    let memory = SharedMemory(pages: 64)

    /// One page of the test's memory at a fixed address.
    private func register(
        _ world: DomainWorld, page: Int, count: Int = 1, at first: UInt64
    ) throws(DMAError) -> RegionID {
        let ids = try world.domain.batch { batch throws(DMAError) in
            [
                try unsafe batch.register(
                    memory.pages(page, count: count), at: .fixed(IOVA(first)))
            ]
        }
        return ids[0]
    }

    /// Regions of a page each, with a hole behind each.
    private func slots(_ count: Int, _ world: DomainWorld) throws -> [RegionID] {
        try (0..<count).map { slot in
            try register(world, page: 2 * slot, at: 0x10_0000 + UInt64(slot) * 0x2000)
        }
    }

    private func stamp(_ page: Int) -> [UInt8] {
        let bytes = unsafe memory.pages(page)
        for offset in 0..<8 { unsafe bytes[offset] = UInt8(page + 1) }
        return [UInt8](repeating: UInt8(page + 1), count: 8)
    }

    @Test(arguments: DeviceKind.allCases)
    func `a range that a batch frees is placed anew by the same batch`(_ kind: DeviceKind) throws {
        let world = try DomainWorld(kind.configuration)
        let new = stamp(1)
        let old = try register(world, page: 0, at: 0x10_0000)
        let before = world.domain.statistics
        let id = try world.domain.batch { batch throws(DMAError) in
            try batch.free(old)
            return try unsafe batch.register(memory.pages(1), at: .fixed(IOVA(0x10_0000)))
        }
        let now = world.domain.statistics
        #expect(now.invalidateMessages == before.invalidateMessages + 1)
        #expect(now.updateMessages == before.updateMessages + 1)
        #expect(world.simulator.read(IOVA(0x10_0000), byteCount: 8) == new)
        #expect(throws: DMAError.self) { try world.domain.info(old) }
        try expectConsistent(world, [id])
    }

    @Test(arguments: DeviceKind.allCases)
    func `one larger region takes the place of two and the hole between`(
        _ kind: DeviceKind
    ) throws {
        let world = try DomainWorld(kind.configuration)
        let low = try register(world, page: 0, at: 0x10_0000)
        let high = try register(world, page: 2, at: 0x10_2000)
        let id = try world.domain.batch { batch throws(DMAError) in
            try batch.free(high)
            try batch.free(low)
            return try unsafe batch.register(
                memory.pages(8, count: 3), at: .fixed(IOVA(0x10_0000)))
        }
        try expectConsistent(world, [id])
    }

    @Test func `a placement before the free of what is there is refused, and changes nothing`()
        throws
    {
        let world = try DomainWorld()
        let old = try register(world, page: 0, at: 0x10_0000)
        let before = DomainSnapshot(world)
        let answer = try world.refusal { () throws(DMAError) in
            try world.domain.batch { batch throws(DMAError) in
                _ = try unsafe batch.register(memory.pages(1), at: .fixed(IOVA(0x10_0000)))
                try batch.free(old)
            }
        }
        #expect(answer.error.code == .overlap && answer.error.operationIndex == 0)
        #expect(DomainSnapshot(world) == before)
        try expectConsistent(world, [old])
    }

    @Test func `a region that lives is in the way, also of a batch that frees its neighbour`()
        throws
    {
        let world = try DomainWorld()
        let low = try register(world, page: 0, at: 0x10_0000)
        let high = try register(world, page: 1, at: 0x10_1000)
        let before = DomainSnapshot(world)
        let answer = try world.refusal { () throws(DMAError) in
            try world.domain.batch { batch throws(DMAError) in
                try batch.free(low)
                _ = try unsafe batch.register(
                    memory.pages(4, count: 2), at: .fixed(IOVA(0x10_0000)))
            }
        }
        #expect(answer.error.code == .overlap && answer.error.operationIndex == 1)
        #expect(DomainSnapshot(world) == before)
        try expectConsistent(world, [low, high])
    }

    @Test func `a region that its batch names and frees costs no message`() throws {
        let world = try DomainWorld()
        let (gone, kept) = try world.domain.batch { batch throws(DMAError) in
            let gone = try unsafe batch.register(memory.pages(0), at: .fixed(IOVA(0x10_0000)))
            let other = try batch.allocate(byteCount: 2 << 20)
            try batch.free(gone)
            try batch.free(other)
            let kept = try unsafe batch.register(memory.pages(1), at: .fixed(IOVA(0x10_0000)))
            return (gone, kept)
        }
        #expect(world.messages == 1)
        #expect(throws: DMAError.self) { try world.domain.info(gone) }
        try expectConsistent(world, [kept])
        let answer = try world.refusal { () throws(DMAError) in
            try world.domain.batch { batch throws(DMAError) in
                let id = try unsafe batch.register(memory.pages(3))
                try batch.free(id)
                try batch.free(id)
            }
        }
        #expect(answer.error.code == .noSuchRegion && answer.error.operationIndex == 2)
    }

    @Test func `a placement over quarantine flushes it first, in a batch of its own`() throws {
        let world = try DomainWorld(
            .vdpaSimNet(), .init(unmapping: .deferred(maximumBytes: 1 << 30)))
        let old = try register(world, page: 0, at: 0x10_0000)
        try world.free([old])
        #expect(world.domain.statistics.quarantinedExtents == 1)
        let before = DomainSnapshot(world)
        // The flush's INVALIDATE: what it refuses, nothing is placed over.
        world.simulator.failNext(.write, errno: EIO)
        let answer = try world.refusal { () throws(DMAError) in
            _ = try register(world, page: 1, at: 0x10_0000)
        }
        #expect(answer.error.errno == EIO)
        #expect(DomainSnapshot(world) == before)
        let flushes = world.domain.statistics.flushes
        let id = try register(world, page: 1, at: 0x10_0000)
        #expect(world.domain.statistics.flushes == flushes + 1)
        #expect(world.domain.statistics.quarantinedExtents == 0)
        try expectConsistent(world, [id])
    }

    @Test func `a placement over a shared extent that nobody uses takes its place`() throws {
        let world = try DomainWorld()
        let region = try world.domain.allocate(byteCount: 4096)
        let first = region.range.first
        try region.free()
        #expect(world.domain.statistics.extents == 1, "kept for reuse")
        let id = try register(world, page: 0, at: first.rawValue)
        #expect(world.domain.statistics.extents == 1)
        try expectConsistent(world, [id])
    }

    @Test(arguments: DeviceKind.allCases)
    func `an undo that fails where a range was reused stops mapping until remap`(
        _ kind: DeviceKind
    ) throws {
        let world = try DomainWorld(kind.configuration)
        _ = stamp(0)
        let old = try register(world, page: 0, at: 0x10_0000)
        // INVALIDATE and UPDATEs are taken, what comes behind is not, nor is any undo.
        let messages = kind == .dmaMap || kind == .platformIOMMU ? 3 : 4
        world.simulator.disappear(atCall: world.simulator.calls + messages)
        let answer = try world.refusal { () throws(DMAError) in
            try world.domain.batch { batch throws(DMAError) in
                try batch.free(old)
                _ = try unsafe batch.register(memory.pages(1), at: .fixed(IOVA(0x10_0000)))
                _ = try unsafe batch.register(memory.pages(3), at: .fixed(IOVA(0x20_0000)))
            }
        }
        world.simulator.clearFaultPlan()
        #expect(answer.error.code == .undoIncomplete, "\(answer.error)")
        let refused = try world.refusal { () throws(DMAError) in
            _ = try register(world, page: 5, at: 0x10_1000)
        }
        #expect(refused.error.code == .undoIncomplete && refused.messages == 0)
        try world.domain.remap()
        try expectConsistent(world, [old])
        let new = try register(world, page: 5, at: 0x10_1000)
        try expectConsistent(world, [old, new])
    }

    // MARK: thresholds

    @Test func `quarantine is flushed when more extents wait than may`() throws {
        let world = try DomainWorld(
            .vdpaSimNet(), .init(unmapping: .deferred(maximumBytes: .max, maximumExtents: 3)))
        let ids = try slots(6, world)
        for id in ids[..<3] { try world.free([id]) }
        #expect(world.domain.statistics.quarantinedExtents == 3)
        try world.free([ids[3]])
        #expect(world.domain.statistics.quarantinedExtents == 0)
        try expectConsistent(world, Array(ids[4...]))
    }

    @Test func `quarantine is flushed when one has waited for longer than it may`() throws {
        let now = TestClock()
        var options = DMADomain.Options(
            unmapping: .deferred(maximumBytes: .max, maximumAge: .milliseconds(5)))
        options.clock = { now.nanoseconds }
        let world = try DomainWorld(.vdpaSimNet(), options)
        let ids = try slots(4, world)
        try world.free([ids[0]])
        now.advance(by: 4_000_000)
        try world.free([ids[1]])
        #expect(world.domain.statistics.quarantinedExtents == 2)
        try world.domain.flush(olderThan: .milliseconds(3))
        #expect(world.domain.statistics.quarantinedExtents == 1, "the younger waits on")
        now.advance(by: 5_000_001)
        try world.free([ids[2]])
        #expect(world.domain.statistics.quarantinedExtents == 0)
        try expectConsistent(world, [ids[3]])
    }
}

/// A clock that a test moves.
final class TestClock: Sendable {
    private let value = Atomic<UInt64>(1)

    var nanoseconds: UInt64 { value.load(ordering: .relaxed) }

    func advance(by nanoseconds: UInt64) { value.wrappingAdd(nanoseconds, ordering: .relaxed) }
}

extension DomainBatchOrderTests {
    @Test func `the same memory registered again is mapped anew, as its pages may be others`()
        throws
    {
        let world = try DomainWorld()
        let old = try register(world, page: 0, at: 0x10_0000)
        let before = world.domain.statistics
        // Other pages behind the same address.
        let place = unsafe memory.pages(0)
        let same = unsafe mmap(
            place.baseAddress, 4096, PROT_READ | PROT_WRITE,
            MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
        #expect(unsafe same == place.baseAddress)
        let id = try world.domain.batch { batch throws(DMAError) in
            try batch.free(old)
            return try unsafe batch.register(memory.pages(0), at: .fixed(IOVA(0x10_0000)))
        }
        let now = world.domain.statistics
        #expect(now.invalidateMessages == before.invalidateMessages + 1)
        #expect(now.updateMessages == before.updateMessages + 1)
        try expectConsistent(world, [id])
    }
}
