import Glibc
import Testing
import VDPAMemory
import VDPASimulator

/// A change of a domain, of which every call is made to fail once.
enum FailureScenario: String, CaseIterable, Sendable {
    case mixedBatch, manySlots, freeMany, flush, threshold, trim, oneAllocation, oneFree
    case roomMadeFirst, replacedSlots
    /// A mixed batch on two devices, of which the second refuses.
    case secondDevice

    /// A VMM's guest memory.
    static let slotCount = 300

    /// Many calls alike: the sweep goes through them on one domain, as a failure leaves it as it
    /// was.
    var isLong: Bool { self == .manySlots || self == .freeMany }

    var options: DMADomain.Options {
        switch self {
        case .flush: .init(unmapping: .deferred(maximumBytes: 1 << 40))
        case .threshold: .init(unmapping: .deferred(maximumBytes: 6 << 12))
        default: .init()
        }
    }

    /// An errno in whose place the domain does not try again. With a full table it takes EFAULT for
    /// a lack of entries, and does the batch once more with its unmaps first.
    func surfacing(_ errno: Int32) -> Int32 {
        self == .roomMadeFirst && errno == EFAULT ? EIO : errno
    }

    /// How many calls it makes at least on a device that has batches: a sweep of fewer proves
    /// nothing.
    var leastCallCount: Int {
        switch self {
        case .mixedBatch, .secondDevice: 7
        case .manySlots, .freeMany: FailureScenario.slotCount + 2
        case .flush: 12
        case .threshold: 10
        case .trim: 1
        case .oneAllocation, .oneFree: 1
        case .roomMadeFirst: 22
        case .replacedSlots: 7
        }
    }
}

/// A domain and the tables of all of its devices.
struct FailureSnapshot: Equatable, CustomStringConvertible {
    var domain: DomainSnapshot
    var second: SimulatedDevice.MappingSnapshot?

    var description: String {
        "\(domain)" + (second.map { ", second device \($0.kernel.map(\.count))" } ?? "")
    }
}

/// A domain before the change, and the change.
final class FailureWorld {
    let world: DomainWorld
    let scenario: FailureScenario
    let memory = SharedMemory(pages: 1024)
    /// The second device, where there is one.
    private(set) var second: SimulatedDevice?
    /// The device whose calls are to fail.
    var failing: SimulatedDevice { second ?? world.simulator }
    /// Regions that were there before.
    private(set) var ids: [RegionID] = []

    init(_ kind: DeviceKind, _ scenario: FailureScenario) throws {
        self.scenario = scenario
        var configuration = kind.configuration
        if scenario == .roomMadeFirst { configuration.entryLimit = 17 }
        world = try DomainWorld(configuration, scenario.options)
        try prepare()
        if scenario == .secondDevice {
            let other = SimulatedDevice(kind.configuration)
            try world.domain.attach(try VDPADevice(other))
            second = other
        }
    }

    /// What must be as before when the change has failed.
    var snapshot: FailureSnapshot {
        FailureSnapshot(domain: DomainSnapshot(world), second: second?.mappingSnapshot)
    }

    private func prepare() throws(DMAError) {
        switch scenario {
        case .mixedBatch, .secondDevice:
            ids = try register(2, at: 0x100_0000) + world.allocate(1, byteCount: 2 << 20)
        case .freeMany: ids = try register(FailureScenario.slotCount, at: 0x100_0000)
        case .flush:
            ids = try register(12, at: 0x100_0000)
            try world.free(Array(ids[..<10]))
            ids.removeFirst(10)
        case .threshold:
            ids = try register(10, at: 0x100_0000)
            try world.free(Array(ids[..<5]))
            ids.removeFirst(5)
        case .trim:
            ids = try world.allocate(2, byteCount: 4096)
            try world.free([ids[0]])
            try world.free([ids[1]])
            ids = []
        case .oneFree: ids = try register(1, at: 0x100_0000)
        case .replacedSlots: ids = try register(4, at: 0x100_0000)
        case .roomMadeFirst: ids = try register(16, at: 0x100_0000)
        case .manySlots, .oneAllocation: break
        }
    }

    /// Every other page, so that no two slots are neighbours.
    private func register(_ count: Int, at first: UInt64) throws(DMAError) -> [RegionID] {
        try world.domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            for slot in 0..<count {
                ids.append(
                    try unsafe batch.register(
                        memory.pages(2 * slot), at: .fixed(IOVA(first + UInt64(slot) * 8192))))
            }
            return ids
        }
    }

    /// The change. Leaves in `ids` what lives afterwards.
    func act() throws(DMAError) {
        switch scenario {
        case .mixedBatch, .secondDevice:
            let old = ids
            ids = try world.domain.batch { batch throws(DMAError) in
                var new: [RegionID] = [old[0]]
                new.append(try batch.allocate(byteCount: 2 << 20))
                new.append(try batch.allocate(byteCount: 4096))
                new.append(try batch.allocate(byteCount: 8192, options: .init(access: .readOnly)))
                try batch.free(old[1])
                new.append(try unsafe batch.register(memory.pages(700, count: 3)))
                try batch.free(old[2])
                return new
            }
        case .manySlots: ids = try register(FailureScenario.slotCount, at: 0x4000_0000)
        case .freeMany, .oneFree:
            try world.free(ids)
            ids = []
        case .flush: try world.domain.flush()
        case .threshold:
            try world.free(Array(ids[..<3]))
            ids.removeFirst(3)
        case .trim: try world.domain.trim()
        case .oneAllocation: ids = try world.allocate(1, byteCount: 2 << 20)
        case .replacedSlots:
            let old = ids
            ids = try world.domain.batch { batch throws(DMAError) in
                for id in old[..<3] { try batch.free(id) }
                // The first in its place, the next two and the hole between them as one.
                let first = try unsafe batch.register(
                    memory.pages(100), at: .fixed(IOVA(0x100_0000)))
                let second = try unsafe batch.register(
                    memory.pages(102, count: 3), at: .fixed(IOVA(0x100_2000)))
                return [old[3], first, second]
            }
        case .roomMadeFirst:
            let old = ids
            ids = try world.domain.batch { batch throws(DMAError) in
                for id in old[..<10] { try batch.free(id) }
                var new = Array(old[10...])
                for slot in 0..<10 {
                    new.append(
                        try unsafe batch.register(
                            memory.pages(100 + 2 * slot),
                            at: .fixed(IOVA(0x4000_0000 + UInt64(slot) * 8192))))
                }
                return new
            }
        }
    }

    /// Makes the change, and answers how many calls of the device it took.
    func countCalls() throws -> Int {
        let before = failing.calls
        try act()
        return failing.calls - before
    }

    /// The domain still works: the change can be made, and then something else.
    func expectUsable() throws {
        try act()
        try expectConsistent(world, ids)
        let more = try world.allocate(3, byteCount: 12288)
        try expectConsistent(world, ids + more)
        try world.free(more)
        try expectConsistent(world, ids)
    }
}
