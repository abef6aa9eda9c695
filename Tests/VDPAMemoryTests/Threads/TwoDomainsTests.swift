import IOVAAllocator
import TestSupport
import Testing
import VDPAMemory
import VDPASimulator

/// The kernel's batch flag belongs to the device file: two domains on two address spaces of one
/// device take turns, and neither sees the other's mappings.
@Suite("Two domains on two address spaces of one device at once")
struct TwoDomainsTests {
    static let steps = TestKnobs.count("VDPA_SOAK_STEPS", 160)

    @Test(arguments: [DeviceKind.setMap, .dmaMap])
    func `batches do not mix, and each space holds its own`(_ kind: DeviceKind) throws {
        let seed = TestKnobs.seed(0x2d0a)
        let simulator = SimulatedDevice(kind.configuration)
        let device = try VDPADevice(simulator)
        let domains = try [0, 1].map { try DMADomain(device, addressSpace: $0) }
        let record = SoakRecord()
        let crew = ThreadCrew(count: 4)
        defer { crew.end() }
        // Two threads on each domain.
        crew.runAll { thread in
            let space = UInt32(thread % 2)
            do {
                try TwoDomainsTests.change(
                    domains[thread % 2], space, simulator, record,
                    // Elsewhere the device reaches nothing while a remap goes on.
                    remaps: kind == .setMap, seed: seed &+ UInt64(thread))
            } catch {
                record.problem("thread \(thread): \(error)")
            }
        }
        #expect(record.problems.isEmpty, "\(record.problems); replay with VDPA_SEED=\(seed)")
        #expect(simulator.faults.isEmpty && !simulator.isInBatch)
        var sent = 0
        for (space, domain) in domains.enumerated() {
            let statistics = domain.statistics
            let space = UInt32(space)
            let mapped = simulator.kernelEntries(addressSpace: space)
                .reduce(UInt64(0)) { $0 + ($1.range.byteCount ?? 0) }
            #expect(statistics.mappedBytes == mapped && statistics.regions == 0)
            sent += Int(statistics.messages)
            try domain.trim()
            #expect(simulator.kernelEntries(addressSpace: space).isEmpty)
        }
        #expect(sent > TwoDomainsTests.steps)
    }

    private static func change(
        _ domain: DMADomain, _ space: UInt32, _ simulator: SimulatedDevice, _ record: SoakRecord,
        remaps: Bool, seed: UInt64
    ) throws {
        var random = SeededGenerator(seed: seed)
        for step in 0..<steps {
            let count = 1 + random.below(3)
            let ids = try domain.batch { batch throws(DMAError) in
                var ids: [RegionID] = []
                for index in 0..<count {
                    ids.append(
                        try batch.allocate(
                            byteCount: 4096,
                            options: .init(isolation: index == 0 ? .dedicated : .shared)))
                }
                return ids
            }
            for id in ids {
                let region = SoakRegion(try domain.info(id), id: id, stamp: random.next())
                region.fill()
                let seen = simulator.read(region.first, byteCount: 4096, addressSpace: space)
                if seen != region.pattern(0, byteCount: 4096) {
                    record.problem("seed \(seed), step \(step): not this domain's bytes")
                }
            }
            try domain.batch { batch throws(DMAError) in
                for id in ids { try batch.free(id) }
            }
            if remaps, random.chance(oneIn: 40) { try domain.remap() }
        }
    }
}
