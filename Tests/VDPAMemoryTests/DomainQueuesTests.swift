import Glibc
import Testing
import VDPAMemory
import VDPASimulator

@Suite("A domain that maps nothing while queues are enabled")
struct DomainQueuesTests {
    private func makeWorld(_ kind: DeviceKind) throws -> DomainWorld {
        var options = DMADomain.Options()
        options.refusesMappingWhileQueuesEnabled = true
        return try DomainWorld(kind.configuration, options)
    }

    /// Gives queue 0 its ring, in a region of its own.
    private func enableLater(_ world: DomainWorld) throws -> RegionID {
        let ring = try world.allocate(1, byteCount: 2 << 20)[0]
        let first = try world.domain.info(ring).range.first.rawValue
        try world.device.setQueueSize(16, ofQueue: 0)
        try world.device.setRingAddresses(
            VringAddresses(
                descriptors: IOVA(first), available: IOVA(first + 0x400),
                used: IOVA(first + 0x800)), ofQueue: 0)
        return ring
    }

    private func expectRefused(
        _ world: DomainWorld, _ body: () throws(DMAError) -> Void
    ) throws {
        let refused = try world.refusal(body)
        #expect(refused.error.code == .queuesEnabled && refused.error.errno == EBUSY)
        #expect(refused.error.remedy.contains("queues"))
    }

    @Test(arguments: [DeviceKind.virtualAddress, .setMap])
    func `what needs a message is refused, and the rest is done`(_ kind: DeviceKind) throws {
        let world = try makeWorld(kind)
        let ring = try enableLater(world)
        let big = try world.allocate(1, byteCount: 2 << 20)
        let small = try world.allocate(2, byteCount: 4096)
        try world.device.setQueueEnabled(true, ofQueue: 0)
        let messages = world.messages
        let other = try VDPADevice(SimulatedDevice(kind.configuration))
        // A free waits, and a carved region needs nothing.
        try world.free(big)
        try world.free([small[0]])
        let more = try world.allocate(1, byteCount: 4096)
        #expect(world.domain.statistics.quarantinedExtents == 1)
        try expectRefused(world) { () throws(DMAError) in
            _ = try world.allocate(1, byteCount: 2 << 20)
        }
        try expectRefused(world) { () throws(DMAError) in try world.domain.flush() }
        try expectRefused(world) { () throws(DMAError) in try world.domain.detach(world.device) }
        #expect(world.messages == messages)
        try world.device.setQueueEnabled(false, ofQueue: 0)
        try world.domain.flush()
        try expectConsistent(world, [ring, small[1]] + more)
        try world.domain.attach(other)
        try world.free(more + [small[1], ring])
    }
}
