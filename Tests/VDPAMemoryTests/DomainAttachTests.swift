import Glibc
import Testing
import VDPAMemory
import VDPASimulator

/// One layout in several address spaces, of one device and of several.
@Suite("Devices that come and go under one domain")
struct DomainAttachTests {
    let memory = SharedMemory(pages: 64)

    /// What the second address space has must be what the first has, and what the domain says.
    private func expectSame(
        _ domain: DMADomain, _ tables: [[TranslationEntry]],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let mapped = tables[0].reduce(UInt64(0)) { $0 + ($1.range.byteCount ?? 0) }
        #expect(domain.statistics.mappedBytes == mapped, sourceLocation: sourceLocation)
        for table in tables.dropFirst() {
            #expect(table.map(\.range) == tables[0].map(\.range), sourceLocation: sourceLocation)
        }
    }

    private func fill(_ world: DomainWorld) throws -> [RegionID] {
        var ids = try world.allocate(3, byteCount: 8192)
        ids += try world.allocate(2, byteCount: 2 << 20, .init(access: .readOnly))
        for page in [0, 3, 9] {
            ids += try world.domain.batch { batch throws(DMAError) in
                [
                    try unsafe batch.register(
                        memory.pages(page, count: 2),
                        at: .fixed(IOVA(0x4000_0000 + UInt64(page) * 4096)))
                ]
            }
        }
        return ids
    }

    @Test(arguments: DeviceKind.allCases, DeviceKind.allCases)
    func `a second device gets everything, and every change after that`(
        _ first: DeviceKind, _ second: DeviceKind
    ) throws {
        let world = try DomainWorld(first.configuration)
        var ids = try fill(world)
        let other = SimulatedDevice(second.configuration)
        let device = try VDPADevice(other)
        try world.domain.attach(device)
        expectSame(world.domain, [world.simulator.kernelEntries(), other.kernelEntries()])
        #expect(other.deviceEntries() == other.kernelEntries())
        ids += try world.allocate(2, byteCount: 2 << 20)
        try world.free([ids.removeFirst(), ids.removeLast()])
        expectSame(world.domain, [world.simulator.kernelEntries(), other.kernelEntries()])
        for id in ids {
            let info = try world.domain.info(id)
            guard info.access != .writeOnly else { continue }
            let bytes = world.simulator.read(info.range.first, byteCount: 64)
            #expect(bytes != nil && other.read(info.range.first, byteCount: 64) == bytes)
        }
        try world.domain.detach(device)
        #expect(other.kernelEntries().isEmpty && other.pinnedByteCount == 0)
        try expectConsistent(world, ids)
        try world.free(ids)
        try world.domain.trim()
        #expect(world.simulator.kernelEntries().isEmpty)
    }

    @Test func `two address spaces of one device have the same layout`() throws {
        let world = try DomainWorld()
        let ids = try fill(world)
        try world.domain.attach(world.device, addressSpace: 1)
        #expect(world.domain.attachments.count == 2)
        expectSame(
            world.domain,
            [world.simulator.kernelEntries(), world.simulator.kernelEntries(addressSpace: 1)])
        let answer = try world.refusal { () throws(DMAError) in
            try world.domain.attach(world.device, addressSpace: 1)
        }
        #expect(answer.error.code == .addressSpace && answer.messages == 0)
        try world.free(ids)
        try world.domain.trim()
        #expect(world.simulator.kernelEntries(addressSpace: 1).isEmpty)
    }

    @Test(arguments: DeviceKind.allCases)
    func `every call of an attach fails once: nothing is left on either device`(
        _ kind: DeviceKind
    ) throws {
        var number = 1
        while number < 100 {
            let world = try DomainWorld()
            let ids = try fill(world)
            let before = DomainSnapshot(world)
            let range = world.domain.range
            let other = SimulatedDevice(kind.configuration)
            let device = try VDPADevice(other)
            other.failCall(other.calls + number, errno: EFAULT)
            do {
                try world.domain.attach(device)
                break
            } catch {
                #expect(error.code != .undoIncomplete, "call \(number): \(error)")
                #expect(error.errno == EFAULT, "call \(number): \(error)")
            }
            #expect(other.kernelEntries().isEmpty && other.pinnedByteCount == 0, "call \(number)")
            #expect(!other.isInBatch, "call \(number)")
            #expect(DomainSnapshot(world) == before && world.domain.range == range)
            try world.domain.attach(device)
            expectSame(world.domain, [world.simulator.kernelEntries(), other.kernelEntries()])
            try expectConsistent(world, ids)
            number += 1
        }
        #expect(number > 5, "\(number - 1) calls were made to fail")
    }

    @Test(arguments: DeviceKind.allCases)
    func `a change that the second device refuses is undone on the first`(
        _ kind: DeviceKind
    ) throws {
        let world = try DomainWorld()
        var ids = try fill(world)
        let other = SimulatedDevice(kind.configuration)
        try world.domain.attach(try VDPADevice(other))
        var number = 1
        while number < 100 {
            let before = DomainSnapshot(world)
            let there = other.mappingSnapshot
            other.failCall(other.calls + number, errno: EIO)
            do {
                let old = ids[ids.count - 1]
                let new = try world.domain.batch { batch throws(DMAError) in
                    try batch.free(old)
                    let one = try unsafe batch.register(
                        memory.pages(30), at: .fixed(IOVA(0x5000_0000)))
                    return [one, try batch.allocate(byteCount: 2 << 20)]
                }
                ids.removeLast()
                ids += new
                other.clearFaultPlan()
                break
            } catch {
                #expect(error.errno == EIO && error.code != .undoIncomplete, "\(error)")
            }
            #expect(DomainSnapshot(world) == before, "call \(number)")
            #expect(other.mappingSnapshot == there, "call \(number)")
            number += 1
        }
        #expect(number > 3, "\(number - 1) calls were made to fail")
        expectSame(world.domain, [world.simulator.kernelEntries(), other.kernelEntries()])
        try expectConsistent(world, ids)
    }

    @Test func `a device that cannot reach a live mapping is refused, and the mapping named`()
        throws
    {
        let world = try DomainWorld()
        _ = try world.domain.batch { batch throws(DMAError) in
            [
                try unsafe batch.register(memory.pages(0), at: .fixed(IOVA(0x1000_0000))),
                try unsafe batch.register(memory.pages(2), at: .fixed(IOVA(1 << 40))),
            ]
        }
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.iovaRange = IOVARange(first: 0, last: 0xffff_ffff)
        let narrow = try VDPADevice(SimulatedDevice(configuration))
        let before = DomainSnapshot(world)
        let answer = try world.refusal { () throws(DMAError) in
            try world.domain.attach(narrow)
        }
        #expect(answer.error.code == .outsideRange)
        #expect(answer.error.range?.first == IOVA(1 << 40))
        #expect(DomainSnapshot(world) == before)
        configuration.iovaRange = .all
        configuration.reservedWindows = [IOVARange(first: 0x1000_0000, last: 0x1000_ffff)]
        let windowed = try VDPADevice(SimulatedDevice(configuration))
        let window = try world.refusal { () throws(DMAError) in
            try world.domain.attach(windowed)
        }
        #expect(window.error.code == .overlap)
        #expect(window.error.range?.first == IOVA(0x1000_0000))
        #expect(DomainSnapshot(world) == before)
    }

    @Test func `the layout lives where all devices can reach, and widens when one has gone`()
        throws
    {
        let world = try DomainWorld()
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.iovaRange = IOVARange(first: 0x10_0000, last: 0xffff_ffff)
        configuration.reservedWindows = [IOVARange(first: 0x2000_0000, last: 0x2000_ffff)]
        let device = try VDPADevice(SimulatedDevice(configuration))
        let whole = world.domain.range
        let free = world.domain.statistics.freeBytes
        try world.domain.attach(device)
        #expect(world.domain.range == IOVARange(first: 0x10_0000, last: 0xffff_ffff))
        for address in [0x4000 as UInt64, 1 << 33, 0x2000_0000] {
            let answer = try world.refusal { () throws(DMAError) in
                _ = try unsafe world.domain.register(memory.pages(0), at: .fixed(IOVA(address)))
            }
            #expect([.outsideRange, .overlap].contains(answer.error.code))
            #expect(answer.messages == 0)
        }
        try world.domain.detach(device)
        #expect(world.domain.range == whole && world.domain.statistics.freeBytes == free)
        let region = try unsafe world.domain.register(
            memory.pages(0), at: .fixed(IOVA(0x2000_0000)))
        #expect(region.iova == IOVA(0x2000_0000))
    }

    @Test func `private memory keeps a device out that maps by virtual address`() throws {
        let world = try DomainWorld()
        let own = SharedMemory(pages: 4, isPrivate: true)
        let region = try unsafe world.domain.register(own.pages(0, count: 2))
        let before = DomainSnapshot(world)
        let device = try VDPADevice(SimulatedDevice(.vduse()))
        let answer = try world.refusal { () throws(DMAError) in try world.domain.attach(device) }
        #expect(answer.error.code == .unsuitableMemory && answer.error.range == region.range)
        #expect(DomainSnapshot(world) == before)
        try region.free()
        try world.domain.attach(device)
        // From now on the new device's needs are those of the domain.
        let later = try world.refusal { () throws(DMAError) in
            _ = try unsafe world.domain.register(own.pages(0, count: 2))
        }
        #expect(later.error.code == .unsuitableMemory)
    }

    @Test func `a budget that the second device lacks is named before any message`() throws {
        let world = try DomainWorld()
        _ = try fill(world)
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.entryLimit = 3
        let small = SimulatedDevice(configuration)
        let device = try VDPADevice(small)
        let calls = small.calls
        let answer = try world.refusal { () throws(DMAError) in try world.domain.attach(device) }
        #expect(answer.error.code == .entryLimit && answer.error.limit == 3)
        #expect(small.calls == calls)
    }

    @Test(arguments: DeviceKind.allCases)
    func `a device is closed, opened again and attached: the regions are the same`(
        _ kind: DeviceKind
    ) throws {
        let simulator = SimulatedDevice(kind.configuration)
        var device: VDPADevice? = try VDPADevice(simulator)
        let domain = try DMADomain(device!)
        let region = try domain.allocate(byteCount: 2 << 20)
        let small = try domain.allocate(byteCount: 4096)
        unsafe region.address.storeBytes(of: 0x1122_3344, as: UInt32.self)
        try domain.detach(device!, unmapping: false)
        device = nil
        #expect(!simulator.isOpen, "the domain let go of it")
        #expect(domain.attachments.isEmpty)
        // Without a device regions come and go all the same.
        let between = try domain.allocate(byteCount: 2 << 20)
        let again = try VDPADevice(simulator)
        try domain.attach(again)
        for range in [region.range, small.range, between.range] {
            #expect(simulator.read(range.first, byteCount: 16) != nil)
        }
        #expect(simulator.read(region.iova, byteCount: 4) == [0x44, 0x33, 0x22, 0x11])
        #expect(domain.statistics.regions == 3)
    }

    @Test func `a reset is noticed: no ring is taken before remap`() throws {
        let world = try DomainWorld()
        let region = try world.domain.allocate(byteCount: 2 << 20)
        #expect(!world.domain.needsRemap)
        try world.device.reset()
        #expect(world.domain.needsRemap)
        let first = region.iova.rawValue
        let addresses = VringAddresses(
            descriptors: IOVA(first), available: IOVA(first + 0x2000),
            used: IOVA(first + 0x4000))
        let answer = try world.refusal { () throws(DMAError) in
            try world.device.setRingAddresses(addresses, ofQueue: 0)
        }
        #expect(answer.error.code == .unsafeControl && answer.error.remedy.contains("remap"))
        try world.domain.remap()
        #expect(!world.domain.needsRemap)
        try world.device.setRingAddresses(addresses, ofQueue: 0)
    }

    @Test(arguments: [4096, 2 << 20])
    func `a region with an enabled ring is freed by force alone`(_ byteCount: Int) throws {
        let world = try DomainWorld()
        let rest = try world.domain.allocate(byteCount: 4096)
        let region = try world.domain.allocate(byteCount: byteCount)
        let first = region.iova.rawValue
        try world.device.setQueueSize(16, ofQueue: 0)
        try world.device.setRingAddresses(
            VringAddresses(
                descriptors: IOVA(first), available: IOVA(first + 0x400),
                used: IOVA(first + 0x800)), ofQueue: 0)
        try world.device.setQueueEnabled(true, ofQueue: 0)
        let id = region.relinquish()
        for _ in 0..<2 {
            let answer = try world.refusal { () throws(DMAError) in try world.domain.free(id) }
            #expect(answer.error.code == .unsafeControl && answer.messages == 0)
        }
        try world.domain.free(id, force: true)
        #expect(world.domain.statistics.regions == 1)
        try expectConsistent(world, [rest.relinquish()])
    }

    @Test func `an enabled ring keeps its device attached`() throws {
        let world = try DomainWorld()
        let other = SimulatedDevice(.vdpaSimNet())
        let device = try VDPADevice(other)
        try world.domain.attach(device)
        let region = try world.domain.allocate(byteCount: 2 << 20)
        let first = region.iova.rawValue
        try device.setRingAddresses(
            VringAddresses(
                descriptors: IOVA(first), available: IOVA(first + 0x2000),
                used: IOVA(first + 0x4000)), ofQueue: 0)
        try device.setQueueEnabled(true, ofQueue: 0)
        let refused = try world.refusal { () throws(DMAError) in
            try world.domain.detach(device)
        }
        #expect(refused.error.code == .unsafeControl && other.kernelEntries().count > 0)
        try device.reset()
        try world.domain.detach(device)
        #expect(other.kernelEntries().isEmpty)
        let twice = try world.refusal { () throws(DMAError) in try world.domain.detach(device) }
        #expect(twice.error.code == .addressSpace)
    }
}

extension DomainAttachTests {
    @Test(arguments: DeviceKind.allCases)
    func `what a device took and will not give back is kept until it is closed`(
        _ kind: DeviceKind
    ) throws {
        let world = try DomainWorld()
        let ids = try world.allocate(4, byteCount: 2 << 20)
        let other = SimulatedDevice(kind.configuration)
        var device: VDPADevice? = try VDPADevice(other)
        other.disappear(atCall: other.calls + 3)
        let answer = try world.refusal { () throws(DMAError) in
            try world.domain.attach(device!)
        }
        other.clearFaultPlan()
        #expect(answer.error.code == .undoIncomplete, "\(answer.error)")
        let reached = other.deviceEntries().map(\.range)
        try world.free(ids)
        // Freed, and not given back to the system: the device can still reach it.
        for range in reached { #expect(other.read(range.first, byteCount: 8) != nil) }
        let taken = try world.refusal { () throws(DMAError) in
            try world.domain.attach(device!)
        }
        #expect(taken.error.code == .addressSpace)
        device = nil
        try world.domain.attach(try VDPADevice(other))
    }
}
