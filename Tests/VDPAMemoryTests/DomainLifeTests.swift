import Testing
import VDPAMemory
import VDPASimulator

@Suite("What lives, what waits and what is gone")
struct DomainLifeTests {
    let memory = SharedMemory(pages: 1024)

    private func register(
        _ world: DomainWorld, pages: Range<Int>, at first: UInt64, _ isolation: Isolation
    ) throws(DMAError) -> [RegionID] {
        try world.domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            for page in pages {
                ids.append(
                    try unsafe batch.register(
                        memory.pages(page), at: .fixed(IOVA(first + UInt64(page) * 4096)),
                        isolation: isolation))
            }
            return ids
        }
    }

    @Test func `a thousand neighbours are one UPDATE and one INVALIDATE`() throws {
        let world = try DomainWorld()
        let ids = try register(world, pages: 0..<1000, at: 0x100_0000, .shared)
        let now = world.domain.statistics
        #expect(now.updateMessages == 1 && now.messages == 1 && now.extents == 1)
        try expectConsistent(world, ids)
        try world.free(ids.dropLast())
        #expect(world.messages == 1, "unmapped only when all are gone")
        try expectConsistent(world, [ids[999]])
        try world.free([ids[999]])
        #expect(world.domain.statistics.invalidateMessages == 1 && world.messages == 2)
        try expectConsistent(world, [])
    }

    @Test func `dead neighbours go with one INVALIDATE, a lone operation with one message`() throws
    {
        let world = try DomainWorld()
        let ids = try register(world, pages: 0..<20, at: 0x100_0000, .dedicated)
        let before = world.domain.statistics
        #expect(before.updateMessages == 20 && before.batchMessages == 2)
        try world.free(Array(ids[..<10]))
        let now = world.domain.statistics
        #expect(now.messages == before.messages + 1 && now.invalidateMessages == 1)
        try expectConsistent(world, Array(ids[10...]))
        try world.free([ids[10]])
        #expect(world.messages == now.messages + 1)
    }

    @Test func `deferred: neither address nor memory comes back before the flush`() throws {
        let world = try DomainWorld(
            .vdpaSimNet(), .init(unmapping: .deferred(maximumBytes: 8 << 20)))
        var old: [IOVARange] = []
        for _ in 0..<4 {
            let region = try world.domain.allocate(byteCount: 2 << 20)
            #expect(!old.contains { $0.overlaps(region.range) })
            old.append(region.range)
            try region.free()
        }
        #expect(world.domain.statistics.invalidateMessages == 0)
        #expect(world.domain.statistics.quarantinedBytes == 8 << 20)
        for range in old {
            #expect(world.simulator.read(range.first, byteCount: 4096) != nil, "still mapped")
        }
        try expectConsistent(world, [])
        // One more goes over the threshold.
        try world.domain.allocate(byteCount: 2 << 20).free()
        #expect(world.domain.statistics.quarantinedExtents == 0)
        #expect(world.simulator.kernelEntries().isEmpty)
        try world.domain.allocate(byteCount: 2 << 20).free()
        try world.domain.flush()
        try expectConsistent(world, [])
    }

    @Test func `regions keep the domain and its device alive`() throws {
        let simulator = SimulatedDevice(.vdpaSimNet())
        do {
            let region: DMARegion
            do {
                let domain = try DMADomain(try VDPADevice(simulator))
                region = try domain.allocate(byteCount: 4096)
            }
            #expect(simulator.isOpen)
            #expect(simulator.write([7], at: region.iova))
            #expect(unsafe region.bytes[0] == 7)
        }
        #expect(!simulator.isOpen)
        #expect(simulator.pinnedByteCount == 0 && simulator.faults.isEmpty)
    }

    @Test func `close unmaps everything, and what is left names nothing`() throws {
        let world = try DomainWorld()
        let region = try world.domain.allocate(byteCount: 2 << 20)
        let small = try world.domain.allocate(byteCount: 4096).relinquish()
        _ = try register(world, pages: 0..<8, at: 0x100_0000, .shared)
        world.domain.close()
        world.domain.close()
        #expect(world.simulator.kernelEntries().isEmpty && world.simulator.pinnedByteCount == 0)
        #expect(throws: DMAError.self) { try region.info }
        #expect(throws: DMAError.self) { try world.domain.info(small) }
        #expect(throws: DMAError.self) { try world.domain.free(small) }
        let answer = try world.refusal { () throws(DMAError) in
            _ = try world.domain.allocate(byteCount: 4096)
        }
        #expect(answer.error.code == .closed && answer.messages == 0)
        let now = world.domain.statistics
        #expect(now.regions == 0 && now.mappedBytes == 0 && now.entriesAtMost == 0)
        let next = try DMADomain(world.device)
        #expect(try next.allocate(byteCount: 4096).byteCount == 4096)
    }

    @Test func `a deinit that cannot unmap leaves its region in quarantine, counted`() throws {
        let world = try DomainWorld()
        do {
            let region = try world.domain.allocate(byteCount: 2 << 20)
            #expect(region.byteCount == 2 << 20)
            world.simulator.failNext(.write, errno: 14)
        }
        var now = world.domain.statistics
        #expect(now.failedFrees == 1 && now.quarantinedExtents == 1 && now.regions == 0)
        try expectConsistent(world, [])
        try world.domain.flush()
        now = world.domain.statistics
        #expect(now.quarantinedExtents == 0 && now.mappedBytes == 0)
        #expect(world.simulator.kernelEntries().isEmpty)
    }

    @Test func `stale IDs, and the same one twice in a batch`() throws {
        let world = try DomainWorld()
        let ids = try world.allocate(2, byteCount: 4096)
        let before = DomainSnapshot(world)
        let twice = try world.refusal { () throws(DMAError) in
            try world.free([ids[0], ids[1], ids[0]])
        }
        #expect(twice.error.code == .noSuchRegion && twice.error.operationIndex == 2)
        #expect(DomainSnapshot(world) == before)
        try world.free([ids[0]])
        let stale = try world.refusal { () throws(DMAError) in try world.free([ids[0]]) }
        #expect(stale.error.code == .noSuchRegion)
        let new = try world.allocate(1, byteCount: 4096)
        #expect(new[0] != ids[0], "the slot is used again under another name")
        #expect(throws: DMAError.self) { try world.domain.info(ids[0]) }
        try expectConsistent(world, [ids[1]] + new)
    }

    @Test func `the region capacity is an error, and a body that throws gives its IDs back`() throws
    {
        let world = try DomainWorld(.vdpaSimNet(), .init(regionCapacity: 8))
        let before = DomainSnapshot(world)
        for _ in 0..<20 {
            let answer = try world.refusal { () throws(DMAError) in
                try world.domain.batch { batch throws(DMAError) in
                    for _ in 0..<8 { _ = try batch.allocate(byteCount: 4096) }
                    _ = try unsafe batch.register(memory.pages(0))
                }
            }
            #expect(answer.error.code == .regionCapacity && answer.error.operationIndex == 8)
            #expect(answer.error.limit == 8 && answer.messages == 0)
            let stopped = try world.refusal { () throws(DMAError) in
                try world.domain.batch { batch throws(DMAError) in
                    for _ in 0..<8 { _ = try batch.allocate(byteCount: 2 << 20) }
                    throw .cancelled("changed my mind")
                }
            }
            #expect(stopped.error.code == .cancelled && stopped.messages == 0)
        }
        #expect(DomainSnapshot(world) == before)
        try expectConsistent(world, try world.allocate(8, byteCount: 4096))
    }

    @Test func `an address space has one domain, and a domain its own address space`() throws {
        let world = try DomainWorld(addressSpace: 1)
        for space in [UInt32(1), 2] {
            let answer = try world.refusal { () throws(DMAError) in
                _ = try DMADomain(world.device, addressSpace: space)
            }
            #expect(answer.error.code == .addressSpace && answer.messages == 0)
        }
        let ids = try world.allocate(3, byteCount: 4096) + world.allocate(2, byteCount: 2 << 20)
        #expect(world.simulator.kernelEntries(addressSpace: 0).isEmpty)
        #expect(!world.simulator.kernelEntries(addressSpace: 1).isEmpty)
        try expectConsistent(world, ids)
        do {
            let other = try DMADomain(world.device, addressSpace: 0)
            let region = try other.allocate(byteCount: 2 << 20)
            #expect(world.simulator.write([1], at: region.iova))
        }
        try expectConsistent(world, ids)
    }

    @Test func `what is carved again reads as zeros, unless that was not asked`() throws {
        let world = try DomainWorld()
        _ = try world.allocate(1, byteCount: 4096)
        func dirtyThenAllocate(_ options: AllocationOptions) throws -> UInt8 {
            do {
                let region = try world.domain.allocate(byteCount: 8192)
                unsafe region.bytes.initializeMemory(as: UInt8.self, repeating: 0xee)
            }
            let region = try world.domain.allocate(byteCount: 8192, options: options)
            let all = unsafe Set(region.bytes)
            #expect(all.count == 1)
            return all.first ?? 1
        }
        #expect(try dirtyThenAllocate(.init()) == 0)
        #expect(try dirtyThenAllocate(.init(isUninitialised: true)) == 0xee)
    }

    @Test func `the device may do what the region says and no more`() throws {
        let world = try DomainWorld()
        for byteCount in [4096, 2 << 20] {
            let readable = try world.domain.allocate(
                byteCount: byteCount, options: .init(access: .readOnly))
            let writable = try world.domain.allocate(
                byteCount: byteCount, options: .init(access: .writeOnly))
            #expect(world.simulator.read(readable.iova, byteCount: 8) != nil)
            #expect(!world.simulator.write([1], at: readable.iova))
            #expect(world.simulator.write([1], at: writable.iova))
            #expect(world.simulator.read(writable.iova, byteCount: 8) == nil)
        }
        #expect(world.simulator.faults.count == 4)
        #expect(world.simulator.faults.allSatisfy { $0.reason == .notPermitted })
    }

    @Test func `an extent that a batch empties and carves again stays mapped`() throws {
        let world = try DomainWorld()
        let low = try world.allocate(1, byteCount: 4096)
        let rest = try world.allocate(2, byteCount: 1 << 20)
        #expect(world.domain.statistics.extents >= 2, "the second extent is what makes it go")
        let new = try world.domain.batch { batch throws(DMAError) in
            try batch.free(low[0])
            for id in rest { try batch.free(id) }
            return [try batch.allocate(byteCount: 4096), try batch.allocate(byteCount: 4096)]
        }
        try expectConsistent(world, new)
    }

    @Test func `a carved region is contiguous in memory, however extents lie`() throws {
        let world = try DomainWorld()
        // What is left of each extent is a little less than the next region wants.
        var ids: [RegionID] = []
        for _ in 0..<12 {
            ids += try world.allocate(1, byteCount: 4096)
            ids += try world.allocate(1, byteCount: 1 << 20)
        }
        for id in ids {
            let info = try world.domain.info(id)
            #expect(info.extent.contains(info.range))
            // Safe: a live region's memory, all of which is filled.
            unsafe UnsafeMutableRawBufferPointer(start: info.address, count: Int(info.byteCount))
                .initializeMemory(as: UInt8.self, repeating: 0x77)
            let seen = world.simulator.read(info.range.first, byteCount: Int(info.byteCount))
            #expect(seen?.allSatisfy { $0 == 0x77 } == true)
        }
        try expectConsistent(world, ids)
    }

    @Test func `trim gives back what is empty`() throws {
        let world = try DomainWorld()
        let ids = try world.allocate(1000, byteCount: 64 << 10)
        try world.free(ids)
        #expect(world.domain.statistics.mappedBytes > 0, "kept for reuse")
        try world.domain.trim()
        #expect(world.domain.statistics.mappedBytes == 0)
        try expectConsistent(world, [])
    }
}
