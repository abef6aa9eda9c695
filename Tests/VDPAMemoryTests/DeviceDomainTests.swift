import IOVAAllocator
import Testing
import VDPAMemory
import VDPASimulator
import VhostVDPA

@Suite("Device and domain: rings in regions")
struct DeviceDomainTests {
    /// Three areas in one page or more, from `first` on.
    private func ring(at first: IOVA) throws -> VringAddresses {
        VringAddresses(
            descriptors: first, available: try #require(first.advanced(by: 4096)),
            used: try #require(first.advanced(by: 8192)))
    }

    @Test("A ring in a region goes live; in freed memory it does not, under either call")
    func lifetime() throws {
        let simulated = SimulatedDevice(.vpVDPA())
        let device = try VDPADevice(simulated)
        let domain = try DMADomain(device)
        let addresses: VringAddresses
        do {
            let region = try domain.allocate(byteCount: 2 << 20)
            addresses = try ring(at: region.iova)
            try device.setRingAddresses(addresses, ofQueue: 0)
            try device.setQueueEnabled(true, ofQueue: 0)
            #expect(device.enabledRings(addressSpace: 0).count == 3)
            try device.setQueueEnabled(false, ofQueue: 0)
        }
        let address = dmaFailure(try device.setRingAddresses(addresses, ofQueue: 0))
        #expect(address?.code == .unsafeControl)
        let enabling = dmaFailure(try device.setQueueEnabled(true, ofQueue: 0))
        #expect(enabling?.code == .unsafeControl)
        #expect(simulated.status & DeviceStatus.needsReset.rawValue == 0)
    }

    @Test("A used ring in memory that the device may only read is refused")
    func readOnly() throws {
        let device = try VDPADevice.simulated()
        let domain = try DMADomain(device)
        var options = AllocationOptions()
        options.access = .readOnly
        let region = try domain.allocate(byteCount: 2 << 20, options: options)
        let addresses = try ring(at: region.iova)
        let error = dmaFailure(try device.setRingAddresses(addresses, ofQueue: 0))
        #expect(error?.code == .unsafeControl)
        #expect(error?.message.contains("used ring") == true)
    }

    @Test("A second domain on the same address space is refused until the first is closed")
    func secondDomain() throws {
        let device = try VDPADevice.simulated()
        let domain = try DMADomain(device)
        #expect(dmaFailure(try DMADomain(device))?.code == .addressSpace)
        let other = try DMADomain(device, addressSpace: 1)
        domain.close()
        let next = try DMADomain(device)
        #expect(next.statistics.regions + other.statistics.regions == 0)
    }

    @Test(
        "Mapping and control operations on many threads do not wait for each other for ever",
        .timeLimit(.minutes(1)))
    func locks() async throws {
        let device = try VDPADevice.simulated()
        let domain = try DMADomain(device)
        let region = try domain.allocate(byteCount: 2 << 20)
        let addresses = try ring(at: region.iova)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for queue: UInt32 in 0...1 {
                group.addTask {
                    for _ in 0..<200 {
                        try device.setRingAddresses(addresses, ofQueue: queue)
                        try device.setQueueEnabled(true, ofQueue: queue)
                        try device.setQueueEnabled(false, ofQueue: queue)
                    }
                }
                group.addTask {
                    for _ in 0..<20 { _ = try domain.allocate(byteCount: 2 << 20) }
                }
            }
            try await group.waitForAll()
        }
        #expect(device.enabledRings(addressSpace: 0) == [])
        #expect(domain.statistics.regions == 1)
    }
}
