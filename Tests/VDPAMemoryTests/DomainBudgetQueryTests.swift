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

    @Test(arguments: [UInt64(1) << 63, 1 << 62, 1 << 40, 1 << 30, 1 << 21, 1 << 16])
    func `an alignment is not a size, and the largest does not trap`(_ alignment: UInt64) throws {
        let world = try DomainWorld(.vpVDPA())
        var options = small
        options.alignment = alignment
        for count in [1, 3, 8] {
            let wanted = try world.domain.requirement(
                ofRegions: count, byteCount: 4096, options: options)
            let old = world.domain.statistics
            let ids: [RegionID]
            do {
                ids = try world.allocate(count, byteCount: 4096, options)
            } catch {
                #expect(wanted.shortage == error.code, "\(count): \(error)")
                continue
            }
            let now = world.domain.statistics
            #expect(wanted.shortage == nil && now.extents - old.extents == wanted.extents)
            #expect(now.mappedBytes - old.mappedBytes == wanted.lockedBytes)
            #expect(old.freeBytes - now.freeBytes == wanted.iovaBytes)
            try world.free(ids)
            try world.domain.trim()
        }
        let most = try world.domain.requirement(
            ofRegions: (1 << 27) - 1, byteCount: 4096, options: options)
        #expect(most.shortage != nil && most.extents > 0)
    }

    @Test func `windows and the caller's addresses count`() throws {
        let world = try DomainWorld()
        let window = IOVARange(first: 0x1000_0000, last: 0x1000_0000 + (6 << 20) - 1)
        var options = small
        options.placement = .within(window)
        func shortage(_ count: Int, _ byteCount: Int) throws -> DMAError.Code? {
            try world.domain.requirement(ofRegions: count, byteCount: byteCount, options: options)
                .shortage
        }
        let free = world.domain.statistics.freeBytes
        #expect(try shortage(3, 2 << 20) == nil)
        #expect(try shortage(4, 2 << 20) == .noSpace)
        #expect(try shortage(1, 4096) == nil)
        #expect(world.domain.statistics.freeBytes == free)
        // Room elsewhere does not help, nor does what was carved there.
        _ = try world.allocate(1, byteCount: 4096, small)
        _ = try world.allocate(3, byteCount: 2 << 20, options)
        #expect(try shortage(1, 4096) == .noSpace)
        let answer = try world.refusal { () throws(DMAError) in
            _ = try world.allocate(1, byteCount: 4096, options)
        }
        #expect(answer.error.code == .noSpace)
        options.placement = .fixed(IOVA(0x1000_0000))
        #expect(try shortage(1, 4096) == .overlap)
        options.placement = .fixed(IOVA(0x2000_0000))
        #expect(try shortage(1, 4096) == nil && shortage(2, 4096) == .overlap)
        options.placement = .fixed(IOVA(world.domain.range.last.rawValue & ~4095))
        #expect(try shortage(1, 8192) != nil)
    }

    @Test func `what is pinned is told without a limit, and for each address space`() throws {
        let pinning = SimulatedDevice(.vpVDPA())
        var traits = DeviceTraits(of: pinning)
        // As on a machine where nothing is limited.
        traits.lockedMemory = { .init(limit: nil, pinned: 0) }
        let device = try VDPADevice(opened: pinning.open().map { $0 }, traits: traits)
        let domain = try DMADomain(device)
        let other = try VDPADevice(SimulatedDevice(.vduse()))
        try domain.attach(other)
        _ = try domain.batch { batch throws(DMAError) in
            try batch.allocate(byteCount: 4 << 20, options: small)
        }
        let budget = domain.budget
        #expect(budget.lockedBytes == 4 << 20 && budget.lockedByteLimit == nil)
        #expect(budget.addressSpaces.map(\.device) == [device.name, other.name])
        #expect(budget.addressSpaces.map(\.pinnedBytes) == [4 << 20, 0])
        #expect(budget.addressSpaces.map(\.entriesAtMost) == [1024, 1])
        #expect(budget.addressSpaces.allSatisfy { $0.entryLimit == 2048 })
    }
}
