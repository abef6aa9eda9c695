import Foundation
import Testing
import VDPAMemory
import VDPASimulator

/// Far more regions than the kernel's table has entries, in real memory.
@Suite("More regions than entries")
struct DomainManyRegionsTests {
    /// `VDPA_MANY_REGIONS=1000000` takes 4 GiB of memory.
    private static let count =
        ProcessInfo.processInfo.environment["VDPA_MANY_REGIONS"].flatMap { Int($0) } ?? 50_000

    @Test func `they live in 2048 entries, each with bytes of its own`() throws {
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.entryLimit = 2048
        let world = try DomainWorld(configuration, .init(regionCapacity: Self.count + 1))
        var ids: [RegionID] = []
        ids.reserveCapacity(Self.count)
        for number in 0..<Self.count {
            let region = try world.domain.allocate(byteCount: 4096)
            unsafe region.address.storeBytes(of: UInt64(number) ^ 0x5a5a, as: UInt64.self)
            ids.append(region.relinquish())
        }
        let now = world.domain.statistics
        #expect(now.regions == Self.count && now.entriesAtLeast <= 2048)
        #expect(now.updateMessages == UInt64(now.extents) && now.extents < 512)
        #expect(world.simulator.kernelEntries().count <= 2048)
        // Every 97th, over all of them: the device reads what was written there, and nothing else.
        for number in stride(from: 0, to: Self.count, by: 97) {
            let info = try world.domain.info(ids[number])
            let bytes = world.simulator.read(info.range.first, byteCount: 8) ?? []
            let value = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            #expect(value == UInt64(number) ^ 0x5a5a)
        }
        print("\(Self.count) regions: \(now.extents) extents, \(now.messages) messages")
        for id in ids { try world.domain.free(id) }
        try world.domain.trim()
        #expect(world.simulator.kernelEntries().isEmpty)
        #expect(world.domain.statistics.regions == 0)
    }
}
