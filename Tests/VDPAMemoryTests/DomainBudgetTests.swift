import IOVAAllocator
import Testing
import VDPAMemory
import VDPASimulator

@Suite("Budgets are checked before the first message, and explained after it")
struct DomainBudgetTests {
    @Test func `more dedicated regions than entries are refused with both figures`() throws {
        let world = try DomainWorld()
        let before = DomainSnapshot(world)
        let memory = SharedMemory(pages: 6000)
        let answer = try world.refusal { () throws(DMAError) in
            _ = try world.domain.batch { batch throws(DMAError) in
                for slot in 0..<3000 {
                    _ = try unsafe batch.register(
                        memory.pages(2 * slot),
                        at: .fixed(IOVA(0x100_0000 + UInt64(slot) * 8192)))
                }
            }
        }
        #expect(answer.messages == 0)
        #expect(answer.error.code == .entryLimit)
        #expect(answer.error.needed == 3000 && answer.error.limit == 2048)
        #expect(answer.error.message.contains("3000") && answer.error.message.contains("2048"))
        #expect(answer.error.remedy.contains("max_iotlb_entries"))
        #expect(answer.error.kernelErrno == nil && answer.error.errno == 28)
        #expect(DomainSnapshot(world) == before)
    }

    @Test func `the last entry can be used, and what is freed by the batch makes room`() throws {
        var configuration = SimulatedDevice.Configuration.vpVDPA()
        configuration.entryLimit = 8
        let world = try DomainWorld(configuration)
        let memory = SharedMemory(pages: 64)
        let ids = try world.domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            for slot in 0..<8 { ids.append(try unsafe batch.register(memory.pages(2 * slot))) }
            return ids
        }
        #expect(world.simulator.kernelEntries().count == 8)
        let answer = try world.refusal { () throws(DMAError) in
            _ = try unsafe world.domain.register(memory.pages(40))
        }
        #expect(answer.error.code == .entryLimit && answer.messages == 0)
        let new = try world.domain.batch { batch throws(DMAError) in
            try batch.free(ids[3])
            return try unsafe batch.register(memory.pages(40))
        }
        try expectConsistent(world, ids[..<3] + ids[4...] + [new])
    }

    @Test func `beyond the upper bound alone a request is tried, and its refusal explained`() throws
    {
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.contiguity = .size4KiB
        configuration.entryLimit = 600
        let world = try DomainWorld(configuration)
        let first = try world.allocate(
            1, byteCount: 512 * 4096, .init(pages: .exactly(.size4KiB)))
        let before = DomainSnapshot(world)
        let answer = try world.refusal { () throws(DMAError) in
            _ = try world.allocate(1, byteCount: 512 * 4096, .init(pages: .exactly(.size4KiB)))
        }
        #expect(answer.error.code == .entryLimit)
        #expect(answer.error.errno == 14)
        #expect(answer.error.needed == 1024 && answer.error.limit == 600)
        #expect(answer.error.message.contains("between 2 and 1024"))
        #expect(DomainSnapshot(world) == before)
        // The same bounds on memory that is contiguous enough.
        let easy = try DomainWorld(configurationOfLargeRuns)
        let ids = try easy.allocate(2, byteCount: 512 * 4096, .init(pages: .exactly(.size4KiB)))
        try expectConsistent(easy, ids)
        try expectConsistent(world, first)
    }

    private var configurationOfLargeRuns: SimulatedDevice.Configuration {
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.contiguity = .runs([64 << 10])
        configuration.entryLimit = 600
        return configuration
    }

    @Test func `five thousand small regions beyond 8 MiB of memlock are refused with a remedy`()
        throws
    {
        let world = try DomainWorld()
        world.simulator.lockedMemoryLimit = 8 << 20
        let before = DomainSnapshot(world)
        let answer = try world.refusal { () throws(DMAError) in
            _ = try world.allocate(5000, byteCount: 4096)
        }
        #expect(answer.messages == 0)
        #expect(answer.error.code == .lockedMemoryLimit)
        #expect(answer.error.limit == 8 << 20)
        let needed = try #require(answer.error.needed)
        #expect(needed >= 5000 * 4096 && needed < 5000 * 4096 + 2 << 20)
        #expect(answer.error.message.contains("\(needed)"))
        #expect(answer.error.remedy.contains("ulimit -l \((needed + 1023) / 1024)"))
        #expect(DomainSnapshot(world) == before)
        world.simulator.lockedMemoryLimit = needed
        let ids = try world.allocate(5000, byteCount: 4096)
        #expect(world.domain.statistics.regions == 5000 && ids.count == 5000)
    }

    @Test func `what others have pinned counts`() throws {
        let world = try DomainWorld()
        world.simulator.lockedMemoryLimit = 8 << 20
        world.simulator.externallyPinnedByteCount = 5 << 20
        let answer = try world.refusal { () throws(DMAError) in
            _ = try world.allocate(1, byteCount: 4 << 20)
        }
        #expect(answer.error.code == .lockedMemoryLimit && answer.messages == 0)
        #expect(answer.error.needed == 9 << 20)
        world.simulator.externallyPinnedByteCount = 4 << 20
        try expectConsistent(world, try world.allocate(1, byteCount: 4 << 20))
    }

    @Test func `a device that maps by address needs no locked memory, and shared memory`() throws {
        let world = try DomainWorld(.vduse())
        world.simulator.lockedMemoryLimit = 4096
        let shared = SharedMemory(pages: 4)
        let ours = SharedMemory(pages: 4, isPrivate: true)
        let answer = try world.refusal { () throws(DMAError) in
            _ = try unsafe world.domain.register(ours.bytes)
        }
        #expect(answer.error.code == .unsuitableMemory && answer.messages == 0)
        #expect(answer.error.message.contains("private"))
        let id = try unsafe world.domain.register(shared.bytes).relinquish()
        try expectConsistent(world, [id] + world.allocate(2, byteCount: 4096))
        // Where pages are pinned, private memory is as good.
        let pinning = try DomainWorld(.vpVDPA())
        try expectConsistent(
            pinning, [try unsafe pinning.domain.register(ours.bytes).relinquish()])
    }

    @Test func `a shortage flushes quarantine and empty extents before it is an error`() throws {
        let world = try DomainWorld(
            .vdpaSimNet(), .init(regionCapacity: 4, unmapping: .deferred(maximumBytes: 1 << 40)))
        for _ in 0..<10 {
            try world.domain.allocate(byteCount: 4096, options: .init(isolation: .dedicated))
                .free()
            try world.domain.allocate(byteCount: 4096).free()
        }
        #expect(world.domain.statistics.regions == 0)
        try expectConsistent(world, try world.allocate(4, byteCount: 4 << 20))
        let locked = try DomainWorld()
        locked.simulator.lockedMemoryLimit = 4 << 20
        try locked.domain.allocate(byteCount: 4096).free()
        #expect(locked.domain.statistics.mappedBytes == 2 << 20)
        try expectConsistent(locked, try locked.allocate(1, byteCount: 4 << 20))
    }
}
