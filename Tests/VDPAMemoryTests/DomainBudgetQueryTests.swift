import Glibc
import Testing
import VDPAMemory
import VDPASimulator

@Suite("Budgets as they can be asked for")
struct DomainBudgetQueryTests {
    private let small = AllocationOptions(pages: .exactly(.size4KiB))

    @Test func `the budget says what is used and what there is`() throws {
        var configuration = SimulatedDevice.Configuration.vpVDPA()
        configuration.lockedMemoryLimit = 64 << 20
        configuration.externallyPinnedByteCount = 3 << 20
        configuration.entryLimit = 100
        let world = try DomainWorld(configuration, .init(regionCapacity: 77))
        var budget = world.domain.budget
        #expect(budget.lockedBytes == 3 << 20 && budget.lockedByteLimit == 64 << 20)
        #expect(budget.entryLimit == 100 && budget.entriesAtMost == 0)
        #expect(budget.regions == 0 && budget.regionCapacity == 77)
        let region = try world.domain.allocate(byteCount: 8 << 20)
        budget = world.domain.budget
        #expect(budget.lockedBytes == 11 << 20 && budget.regions == 1)
        #expect(budget.entriesAtLeast == 1 && budget.entriesAtMost >= 1)
        #expect(budget.freeBytes == world.domain.statistics.freeBytes)
        try region.free()
        #expect(world.domain.budget.lockedBytes == 3 << 20)
    }

    @Test(arguments: [1, 4096, 12288, 2 << 20, 5 << 20])
    func `what a request needs is what it then takes`(_ byteCount: Int) throws {
        for count in [1, 3, 700] where byteCount * count < 512 << 20 {
            let world = try DomainWorld(.vpVDPA())
            // Something is there already, with holes in it.
            let before = try world.allocate(5, byteCount: 8192, small)
            try world.free([before[1], before[3]])
            let wanted = try world.domain.requirement(
                ofRegions: count, byteCount: byteCount, options: small)
            let old = world.domain.statistics
            let pinned = world.simulator.pinnedByteCount
            let messages = world.domain.statistics.updateMessages
            _ = try world.allocate(count, byteCount: byteCount, small)
            let now = world.domain.statistics
            #expect(now.extents - old.extents == wanted.extents, "\(count) of \(byteCount)")
            #expect(Int(now.updateMessages - messages) == wanted.extents)
            #expect(world.simulator.pinnedByteCount - pinned == wanted.lockedBytes)
            #expect(now.entriesAtLeast - old.entriesAtLeast == wanted.entriesAtLeast)
            #expect(now.entriesAtMost - old.entriesAtMost == wanted.entriesAtMost)
            #expect(wanted.shortage == nil && wanted.regions == count)
            #expect(wanted.mayExceedEntries == (now.entriesAtMost > 2048))
        }
    }

    @Test func `what would not fit is named, and is what the request is refused for`() throws {
        var configuration = SimulatedDevice.Configuration.vpVDPA()
        configuration.lockedMemoryLimit = 16 << 20
        configuration.entryLimit = 6
        configuration.iovaRange = IOVARange(first: 0, last: (64 << 20) - 1)
        let world = try DomainWorld(configuration, .init(regionCapacity: 9))
        func refused(_ count: Int, _ byteCount: Int) throws -> (DMAError.Code?, DMAError.Code) {
            let wanted = try world.domain.requirement(
                ofRegions: count, byteCount: byteCount, options: small)
            let answer = try world.refusal { () throws(DMAError) in
                _ = try world.allocate(count, byteCount: byteCount, small)
            }
            #expect(answer.messages == 0)
            return (wanted.shortage, answer.error.code)
        }
        #expect(try refused(10, 4096) == (.regionCapacity, .regionCapacity))
        #expect(try refused(1, 128 << 20) == (.noSpace, .noSpace))
        #expect(try refused(1, 20 << 20) == (.lockedMemoryLimit, .lockedMemoryLimit))
        #expect(try refused(7, 2 << 20) == (.entryLimit, .entryLimit))
        #expect(throws: DMAError.self) { try world.domain.requirement(byteCount: 0) }
        #expect(throws: DMAError.self) {
            try world.domain.requirement(ofRegions: 1 << 40, byteCount: 1 << 40)
        }
    }

    @Test func `the soft limit is raised to the hard one, where that was asked for`() throws {
        var configuration = SimulatedDevice.Configuration.vpVDPA()
        configuration.lockedMemoryLimit = 8 << 20
        configuration.lockedMemoryHardLimit = 32 << 20
        var options = DMADomain.Options()
        let without = try DomainWorld(configuration, options)
        let answer = try without.refusal { () throws(DMAError) in
            _ = try without.domain.allocate(byteCount: 16 << 20)
        }
        #expect(answer.error.code == .lockedMemoryLimit && answer.error.limit == 8 << 20)
        options.raisesLockedMemoryLimit = true
        let world = try DomainWorld(configuration, options)
        let region = try world.domain.allocate(byteCount: 16 << 20)
        #expect(region.byteCount == 16 << 20)
        #expect(world.domain.budget.lockedByteLimit == 32 << 20)
        let above = try world.refusal { () throws(DMAError) in
            _ = try world.domain.allocate(byteCount: 18 << 20)
        }
        #expect(above.error.code == .lockedMemoryLimit && above.error.limit == 32 << 20)
    }
}
