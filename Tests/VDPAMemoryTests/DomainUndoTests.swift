import Glibc
import Testing
import VDPASimulator
import VhostVDPA

@testable import VDPAMemory

/// Undos that fail half-way, where ranges were placed anew.
@Suite("What an undo leaves behind does no harm")
struct DomainUndoTests {
    let memory = SharedMemory(pages: 64)

    private func register(
        _ world: DomainWorld, _ pages: [Int], at first: UInt64, isolation: Isolation = .automatic
    ) throws(DMAError) -> [RegionID] {
        try world.domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            for (index, page) in pages.enumerated() {
                ids.append(
                    try unsafe batch.register(
                        memory.pages(page), at: .fixed(IOVA(first + UInt64(index) * 4096)),
                        isolation: isolation))
            }
            return ids
        }
    }

    /// One batch: the old regions go, and others come in their place and elsewhere.
    private func replace(
        _ world: DomainWorld, _ old: [RegionID], pages: Int, elsewhere: Int
    ) throws(DMAError) {
        try world.domain.batch { batch throws(DMAError) in
            for id in old { try batch.free(id) }
            _ = try unsafe batch.register(
                memory.pages(40, count: pages), at: .fixed(IOVA(0x10_0000)))
            for index in 0..<elsewhere {
                _ = try unsafe batch.register(
                    memory.pages(50 + 2 * index),
                    at: .fixed(IOVA(0x20_0000 + UInt64(index) * 0x2000)))
            }
        }
    }

    @Test func `what is in quarantine over a live region is not unmapped before remap`() throws {
        let world = try DomainWorld()
        unsafe memory.pages(0).initializeMemory(as: UInt8.self, repeating: 7)
        let old = try register(world, [0], at: 0x10_0000)
        let simulator = world.simulator
        // BATCH_BEGIN, INVALIDATE, UPDATE of the new one, UPDATE of the other: refused, as is the
        // INVALIDATE that would take the new one back.
        simulator.failCall(simulator.calls + 4, errno: EFAULT)
        simulator.failCall(simulator.calls + 5, errno: EFAULT)
        let answer = try world.refusal { () throws(DMAError) in
            try replace(world, old, pages: 1, elsewhere: 1)
        }
        #expect(answer.error.code == .undoIncomplete && world.domain.needsRemap)
        func expectHeld(_ body: () throws(DMAError) -> Void) throws {
            let refused = try world.refusal(body)
            #expect(refused.error.code == .undoIncomplete && refused.messages == 0)
            #expect(refused.error.remedy.contains("remap"))
            let seen = simulator.read(IOVA(0x10_0000), byteCount: 8)
            #expect(seen == [UInt8](repeating: 7, count: 8))
        }
        try expectHeld { () throws(DMAError) in try world.domain.flush() }
        try expectHeld { () throws(DMAError) in try world.domain.flush(olderThan: .zero) }
        try expectHeld { () throws(DMAError) in try world.domain.trim() }
        try expectHeld { () throws(DMAError) in try world.domain.detach(world.device) }
        try world.domain.remap()
        #expect(!world.domain.needsRemap && world.domain.statistics.quarantinedExtents == 0)
        try world.domain.flush()
        try expectConsistent(world, old)
    }

    @Test(arguments: DeviceKind.allCases)
    func `a member that was freed before is dead after a batch that was taken back`(
        _ kind: DeviceKind
    ) throws {
        let world = try DomainWorld(kind.configuration)
        let free = world.domain.statistics.freeBytes
        var ids = try register(world, [0, 1, 2], at: 0x10_0000, isolation: .shared)
        #expect(world.domain.statistics.extents == 1)
        try world.free([ids.removeFirst()])
        let dead = IOVARange(first: 0x10_0000, last: 0x10_0fff)
        #expect(!world.domain.covers(dead, access: .readOnly))
        let before = DomainSnapshot(world)
        world.simulator.failNext(.update, errno: EFAULT)
        let answer = try world.refusal { () throws(DMAError) in
            try replace(world, ids, pages: 3, elsewhere: 0)
        }
        #expect(answer.error.code == .kernelRefused && DomainSnapshot(world) == before)
        #expect(!world.domain.covers(dead, access: .readOnly))
        for id in ids {
            #expect(world.domain.covers(try world.domain.info(id).range, access: .readWrite))
        }
        try expectConsistent(world, ids)
        try world.free(ids)
        #expect(world.domain.statistics.freeBytes == free)
    }

    @Test func `what made way gets its place back, whatever stays behind elsewhere`() throws {
        let world = try DomainWorld(
            .vdpaSimNet(),
            .init(regionCapacity: 7, unmapping: .deferred(maximumBytes: 1 << 40)))
        for page in [20, 22, 24] {
            try world.free(try register(world, [page], at: 0x40_0000 + UInt64(page) * 0x1000))
        }
        let ids = try register(world, [0, 1, 2], at: 0x10_0000, isolation: .shared)
        let simulator = world.simulator
        // BATCH_BEGIN, INVALIDATE, three UPDATEs, and the BATCH_END is refused; so are the two
        // INVALIDATEs that would take back what lies elsewhere.
        for number in 6...8 { simulator.failCall(simulator.calls + number, errno: EIO) }
        let answer = try world.refusal { () throws(DMAError) in
            try replace(world, ids, pages: 3, elsewhere: 2)
        }
        #expect(answer.error.code == .undoIncomplete, "\(answer.error)")
        #expect(world.domain.needsRemap && world.domain.statistics.quarantinedExtents == 5)
        try world.domain.remap()
        try expectConsistent(world, ids)
        #expect(world.domain.statistics.quarantinedExtents == 0)
        try replace(world, ids, pages: 3, elsewhere: 2)
        #expect(world.domain.statistics.regions == 3)
    }

    @Test(arguments: [DeviceKind.setMap, .platformIOMMU], [false, true])
    func `a BATCH_BEGIN that the kernel took and denied does not swallow the next unmap`(
        _ kind: DeviceKind, endIsRefused: Bool
    ) throws {
        let simulator = SimulatedDevice(kind.configuration)
        let file = WatchedFile(simulator)
        let device = try VDPADevice(file: file, traits: DeviceTraits(of: simulator))
        let domain = try DMADomain(device)
        let region = try domain.allocate(byteCount: 2 << 20)
        let range = region.range
        let entries = simulator.kernelEntries()
        file.lie(atCall: file.callCount + 1, errno: EIO)
        if endIsRefused { simulator.failCall(simulator.calls + 2, errno: EIO) }
        do {
            try domain.batch { batch throws(DMAError) in
                for page in [0, 2] { _ = try unsafe batch.register(memory.pages(page)) }
            }
            Issue.record("it was not refused")
        } catch {
            #expect(error.errno == EIO)
        }
        #expect(simulator.kernelEntries() == entries)
        #expect(simulator.isInBatch == endIsRefused)
        try region.free()
        #expect(!simulator.isInBatch && simulator.kernelEntries().isEmpty)
        // Swallowed, it would leave the device its old table, while the memory is gone.
        #expect(!simulator.deviceEntries().contains { $0.range.overlaps(range) })
    }
}
