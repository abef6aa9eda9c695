import Foundation
import TestSupport
import Testing
import VDPAMemory
import VDPASimulator

/// Far more regions than the kernel's table has entries, in real memory.
@Suite("More regions than entries")
struct DomainManyRegionsTests {
    /// `VDPA_MANY_REGIONS=1000000` takes 4 GiB of memory.
    private static let count = TestKnobs.count("VDPA_MANY_REGIONS", 50_000)

    @Test func `they live in 2048 entries, each with bytes of its own`() throws {
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.entryLimit = 2048
        let world = try DomainWorld(configuration, .init(regionCapacity: Self.count + 1))
        let clock = ContinuousClock()
        let resident = Self.residentBytes()
        var ids: [RegionID] = []
        ids.reserveCapacity(Self.count)
        let carving = try clock.measure {
            for number in 0..<Self.count {
                let region = try world.domain.allocate(byteCount: 4096)
                unsafe region.address.storeBytes(of: UInt64(number) ^ 0x5a5a, as: UInt64.self)
                ids.append(region.relinquish())
            }
        }
        let now = world.domain.statistics
        #expect(now.regions == Self.count && now.entriesAtLeast <= 2048)
        #expect(now.entriesAtMost <= 2048 || now.mappedBytes > 4 << 30)
        #expect(now.updateMessages == UInt64(now.extents) && now.extents < 512)
        #expect(world.simulator.kernelEntries().count <= 2048)
        // What is not the regions' own memory: the bookkeeping.
        let bookkeeping = max(0, Self.residentBytes() - resident - Int(now.mappedBytes))
        #expect(bookkeeping / Self.count < 1024, "\(bookkeeping) bytes for \(Self.count) regions")
        // Every 97th, over all of them: the device reads what was written there, and nothing else.
        for number in stride(from: 0, to: Self.count, by: 97) {
            let info = try world.domain.info(ids[number])
            let bytes = world.simulator.read(info.range.first, byteCount: 8) ?? []
            let value = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            #expect(value == UInt64(number) ^ 0x5a5a)
        }
        let freeing = try clock.measure { for id in ids { try world.domain.free(id) } }
        try world.domain.trim()
        #expect(world.simulator.kernelEntries().isEmpty)
        #expect(world.domain.statistics.regions == 0)
        let population = Duration.nanoseconds(Int64(now.populationNanoseconds))
        print(
            """
            \(Self.count) regions: \(now.extents) extents, \(now.messages) messages, \
            \(now.mappedBytes >> 20) MiB mapped, bookkeeping \(bookkeeping / Self.count) bytes each; \
            carved in \(carving) of which memory \(population), freed in \(freeing)
            """)
    }

    /// VmRSS: all pages of the process that are there.
    private static func residentBytes() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        let kibibytes = line?.split { !$0.isNumber }.first.flatMap { Int($0) }
        return (kibibytes ?? 0) << 10
    }
}
