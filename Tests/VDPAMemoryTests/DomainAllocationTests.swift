import Testing
import VDPAMemory
import VDPASimulator

@Suite("A domain hands out memory that the device can reach")
struct DomainAllocationTests {
    @Test("the five lines of the README work on a simulated device")
    func fiveLines() throws {
        let simulator = SimulatedDevice(.vdpaSimNet())
        let device = try VDPADevice(simulator)
        let domain = try DMADomain(device)
        let region = try domain.allocate(byteCount: 4 << 20)
        let pool = try DMABufferPool(region, bufferSize: 2048)
        let buffer = try #require(pool.take())
        unsafe buffer.address.storeBytes(of: 0x1234_5678, as: UInt32.self)
        #expect(simulator.read(buffer.iova, byteCount: 4) == [0x78, 0x56, 0x34, 0x12])
        pool.give(buffer)
    }

    @Test("a region leaves scope: the device cannot reach it, and nothing of it is left")
    func scopeEndsMapping() throws {
        let simulator = SimulatedDevice(.vpVDPA())
        let domain = try DMADomain(try VDPADevice(simulator))
        let before = simulator.mappingSnapshot
        let iova: IOVA
        do {
            let region = try domain.allocate(byteCount: 2 << 20)
            iova = region.iova
            #expect(simulator.write([1, 2, 3], at: iova))
        }
        #expect(!simulator.write([1, 2, 3], at: iova))
        #expect(simulator.faults.count == 1)
        #expect(simulator.mappingSnapshot.kernel[0].isEmpty)
        #expect(simulator.pinnedByteCount == before.pinnedByteCount)
        #expect(domain.statistics.mappedBytes == 0)
    }

    @Test("small regions share extents: five thousand live within 2048 entries")
    func smallRegionsShare() throws {
        let simulator = SimulatedDevice(.vdpaSimNet())
        let domain = try DMADomain(try VDPADevice(simulator))
        let ids = try domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            for _ in 0..<5000 { ids.append(try batch.allocate(byteCount: 4096)) }
            return ids
        }
        let now = domain.statistics
        #expect(now.regions == 5000)
        #expect(now.extents <= 10)
        #expect(now.messages <= 12)
        for id in ids { try domain.free(id) }
        try domain.trim()
        #expect(domain.statistics.mappedBytes == 0)
        #expect(simulator.mappingSnapshot.kernel[0].isEmpty)
    }
}
