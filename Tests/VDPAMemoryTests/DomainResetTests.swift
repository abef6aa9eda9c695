import Testing
import VDPAMemory
import VDPASimulator

/// Resets, address spaces of groups, and what the domain does about them.
@Suite("A reset, and groups in address spaces of their own")
struct DomainResetTests {
    private func fill(_ domain: DMADomain, _ value: UInt64) throws -> DMARegion {
        let region = try domain.allocate(byteCount: 4096)
        unsafe region.address.storeBytes(of: value, as: UInt64.self)
        return region
    }

    private func word(_ bytes: [UInt8]?) -> UInt64? {
        bytes.map { $0.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
    }

    @Test(arguments: [KernelProfile.v6_12, .v6_1])
    func `mappings outlive a reset where the kernel keeps them, and only there`(
        _ kernel: KernelProfile
    ) throws {
        let world = try DomainWorld(.vdpaSimNet(kernel: kernel))
        let region = try fill(world.domain, 0x1234)
        let persists = world.device.backendFeatures.contains(.persistentIOTLB)
        #expect(persists == kernel.hasPersistence)
        let messages = world.messages
        try world.device.reset()
        #expect(world.domain.needsRemap == !persists)
        let seen = word(world.simulator.read(region.iova, byteCount: 8))
        #expect(seen == (persists ? 0x1234 : nil))
        let ring = VringAddresses(
            descriptors: region.iova, available: IOVA(region.iova.rawValue + 0x400),
            used: IOVA(region.iova.rawValue + 0x800))
        try world.device.setQueueSize(16, ofQueue: 0)
        let refusal = dmaFailure(try world.device.setRingAddresses(ring, ofQueue: 0))
        #expect(refusal?.code == (persists ? nil : .unsafeControl))
        #expect(world.messages == messages)
        // Where it is not needed it does no harm.
        try world.domain.remap()
        #expect(word(world.simulator.read(region.iova, byteCount: 8)) == 0x1234)
        try world.device.setRingAddresses(ring, ofQueue: 0)
        try region.free()
    }

    @Test(arguments: DeviceKind.allCases)
    func `of two devices one is reset: the other goes on, and remap repairs the one`(
        _ second: DeviceKind
    ) throws {
        let world = try DomainWorld()
        let other = SimulatedDevice(second.configuration)
        let device = try VDPADevice(other)
        try world.domain.attach(device)
        let small = try fill(world.domain, 0xaa)
        let large = try world.domain.allocate(byteCount: 2 << 20)
        unsafe large.address.storeBytes(of: 0xbb, as: UInt64.self)
        let tables = [world.simulator.mappingSnapshot, other.mappingSnapshot]
        for (reset, simulators) in [
            (world.device, [world.simulator, other]), (device, [other, world.simulator]),
        ] {
            try reset.reset()
            #expect(world.domain.needsRemap)
            // Only vdpa_sim forgets.
            let forgets = simulators[0].configuration.driver == .vdpaSim
            let seen = word(simulators[0].read(small.iova, byteCount: 8))
            #expect(seen == (forgets ? nil : 0xaa))
            #expect(word(simulators[1].read(large.iova, byteCount: 8)) == 0xbb)
            // A change meanwhile reaches both, and remap brings back the rest.
            let between = try fill(world.domain, 0xcc)
            try world.domain.remap()
            #expect(!world.domain.needsRemap)
            for simulator in simulators {
                #expect(word(simulator.read(small.iova, byteCount: 8)) == 0xaa)
                #expect(word(simulator.read(large.iova, byteCount: 8)) == 0xbb)
                #expect(word(simulator.read(between.iova, byteCount: 8)) == 0xcc)
                #expect(simulator.deviceEntries() == simulator.kernelEntries())
            }
            try between.free()
            #expect([world.simulator.mappingSnapshot, other.mappingSnapshot] == tables)
        }
    }

    /// As QEMU does for a migration: the control queue's buffers are the VMM's own, in a space that
    /// the guest's memory is not in.
    @Test func `the control queue has an address space of its own`() throws {
        let world = try DomainWorld()
        let control = try DMADomain(world.device, addressSpace: 1)
        let guest = try fill(world.domain, 0x600d)
        let mine = try control.allocate(
            byteCount: 4096,
            options: .init(placement: .fixed(guest.iova), isolation: .dedicated))
        unsafe mine.address.storeBytes(of: 0xc0de, as: UInt64.self)
        let group = try world.device.group(ofQueue: 2)
        #expect(try world.device.group(ofQueue: 0) != group)
        try world.device.setGroup(group, addressSpace: 1)
        // The same address means the one's memory to the data queues, the other's to the control
        // queue.
        for (queue, value) in [(UInt32(0), UInt64(0x600d)), (1, 0x600d), (2, 0xc0de)] {
            let space = world.simulator.addressSpace(ofQueue: queue)
            #expect(
                word(world.simulator.read(guest.iova, byteCount: 8, addressSpace: space)) == value)
        }
        let first = guest.iova.rawValue
        let ring = VringAddresses(
            descriptors: guest.iova, available: IOVA(first + 0x400), used: IOVA(first + 0x800))
        for queue: UInt32 in [0, 2] {
            try world.device.setQueueSize(16, ofQueue: queue)
            try world.device.setRingAddresses(ring, ofQueue: queue)
            try world.device.setQueueEnabled(true, ofQueue: queue)
        }
        // Each domain keeps the ring of its own queue.
        let mineID = mine.relinquish()
        #expect(dmaFailure(try control.free(mineID))?.code == .unsafeControl)
        try world.device.setQueueEnabled(false, ofQueue: 2)
        try control.free(mineID)
        let guestID = guest.relinquish()
        #expect(dmaFailure(try world.domain.free(guestID))?.code == .unsafeControl)
        // A reset takes the group back to address space 0, and both domains repair their own.
        try world.device.reset()
        #expect(world.simulator.addressSpace(ofQueue: 2) == 0)
        #expect(world.domain.needsRemap && control.needsRemap)
        try world.domain.remap()
        try control.remap()
        #expect(word(world.simulator.read(IOVA(first), byteCount: 8)) == 0x600d)
        #expect(world.simulator.read(IOVA(first), byteCount: 8, addressSpace: 1) == nil)
        try world.domain.free(guestID)
    }

    // MARK: deferred unmapping that cannot wait

    private func deferred(
        _ configuration: SimulatedDevice.Configuration, window: IOVARange? = nil
    ) throws -> DomainWorld {
        try DomainWorld(
            configuration,
            .init(unmapping: .deferred(maximumBytes: 1 << 40), window: window))
    }

    /// Fills what there is, frees all of it (it waits), and asks for as much again.
    private func expectFlush(_ world: DomainWorld, count: Int, byteCount: Int) throws {
        let own = AllocationOptions(isolation: .dedicated)
        let ids = try world.allocate(count, byteCount: byteCount, own)
        let refused = try world.refusal { () throws(DMAError) in
            _ = try world.allocate(1, byteCount: byteCount, own)
        }
        #expect([.noSpace, .entryLimit, .lockedMemoryLimit].contains(refused.error.code))
        try world.free(ids)
        let waiting = world.domain.statistics
        #expect(waiting.quarantinedExtents == count && waiting.flushes == 0)
        let again = try world.allocate(count, byteCount: byteCount, own)
        let now = world.domain.statistics
        #expect(now.flushes == 1 && now.quarantinedExtents == 0)
        try expectConsistent(world, again)
    }

    @Test func `quarantine is flushed when addresses run short`() throws {
        // Page 0 is never chosen: room for four, however they lie.
        let window = IOVARange(first: 0, last: 10 << 20 - 1)
        try expectFlush(try deferred(.vdpaSimNet(), window: window), count: 4, byteCount: 2 << 20)
    }

    @Test func `quarantine is flushed when entries run short`() throws {
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.entryLimit = 8
        try expectFlush(try deferred(configuration), count: 8, byteCount: 4096)
    }

    @Test func `quarantine is flushed when locked memory runs short`() throws {
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.lockedMemoryLimit = 6 << 20
        try expectFlush(try deferred(configuration), count: 3, byteCount: 2 << 20)
    }
}
