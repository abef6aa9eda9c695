import Glibc
import Synchronization
import Testing
import VDPAMemory
import VDPASimulator

/// What an observer was told.
final class EventLog: Sendable {
    private let log = Mutex<[DMAEvent]>([])
    private let whenTold = Mutex<(@Sendable (DMAEvent) -> Void)?>(nil)

    func add(_ event: DMAEvent) {
        log.withLock { $0.append(event) }
        whenTold.withLock { $0 }?(event)
    }

    func onEvent(_ body: @escaping @Sendable (DMAEvent) -> Void) { whenTold.withLock { $0 = body } }

    /// What came since the last look.
    func take() -> [DMAEvent] {
        log.withLock { events in
            defer { events = [] }
            return events
        }
    }
}

@Suite("What the observer is told")
struct DomainObserverTests {
    let log = EventLog()

    private func world(
        _ options: DMADomain.Options = .init(),
        _ configuration: SimulatedDevice.Configuration = .vdpaSimNet()
    ) throws -> DomainWorld {
        var options = options
        let log = log
        options.observer = { log.add($0) }
        return try DomainWorld(configuration, options)
    }

    @Test func `each mapping is told when it comes, waits and goes`() throws {
        let world = try world(.init(unmapping: .deferred(maximumBytes: 1 << 30)))
        let region = try world.domain.allocate(byteCount: 2 << 20)
        let range = region.range
        #expect(log.take() == [.mapped(range)])
        let small = try world.domain.allocate(byteCount: 4096)
        guard case .mapped(let extent)? = log.take().first else {
            Issue.record("no shared extent was told")
            return
        }
        #expect(extent.contains(small.range))
        let other = try world.domain.allocate(byteCount: 4096)
        try other.free()
        #expect(log.take() == [], "nothing was mapped or unmapped")
        try region.free()
        #expect(log.take() == [.quarantined(range)])
        try world.domain.flush()
        #expect(log.take() == [.flushed(extentCount: 1, byteCount: 2 << 20), .unmapped(range)])
        try world.domain.remap()
        #expect(log.take() == [.remapped])
        try small.free()
        world.domain.close()
        #expect(log.take() == [.unmapped(extent)])
    }

    @Test func `a batch that is refused maps nothing and tells nothing but a shortage`() throws {
        var configuration = SimulatedDevice.Configuration.vpVDPA()
        configuration.lockedMemoryLimit = 4 << 20
        let world = try world(.init(), configuration)
        _ = try world.refusal { () throws(DMAError) in
            _ = try world.domain.allocate(byteCount: 8 << 20)
        }
        #expect(
            log.take() == [.refused(.lockedMemoryLimit, needed: 8 << 20, limit: 4 << 20)])
        world.simulator.failNext(.write, errno: EIO)
        _ = try world.refusal { () throws(DMAError) in
            _ = try world.domain.allocate(byteCount: 2 << 20)
        }
        #expect(log.take() == [])
    }

    @Test func `devices that come and go are told`() throws {
        let world = try world()
        try world.domain.attach(world.device, addressSpace: 1)
        try world.domain.detach(world.device, addressSpace: 1)
        let name = world.device.name
        #expect(
            log.take() == [
                .attached(device: name, addressSpace: 1), .detached(device: name, addressSpace: 1),
            ])
    }

    @Test func `an observer may use the domain`() throws {
        let world = try world()
        let domain = world.domain
        let seen = Atomic<Int>(0)
        log.onEvent { _ in seen.add(domain.statistics.extents, ordering: .relaxed) }
        let region = try domain.allocate(byteCount: 2 << 20)
        try region.free()
        #expect(seen.load(ordering: .relaxed) == 1)
        log.onEvent { _ in }
    }

    @Test func `a device that writes to freed memory is found when it has been unmapped`() throws {
        var options = DMADomain.Options(unmapping: .deferred(maximumBytes: 1 << 30))
        options.detectsWritesAfterFree = true
        let world = try world(options)
        let quiet = try world.domain.allocate(byteCount: 2 << 20)
        let region = try world.domain.allocate(byteCount: 4 << 20)
        let address = IOVA(region.iova.rawValue + 0x12_3450)
        try quiet.free()
        try region.free()
        _ = log.take()
        #expect(world.simulator.write([1, 2, 3], at: address), "it is still mapped")
        try world.domain.flush()
        let events = log.take()
        #expect(events.contains(.writtenAfterFree(address)))
        #expect(world.domain.statistics.writesAfterFree == 1)
        // Memory that comes later has nothing of the pattern.
        let next = try world.domain.allocate(byteCount: 4 << 20)
        #expect(unsafe next.bytes.allSatisfy { $0 == 0 })
        try next.free()
        try world.domain.flush()
        #expect(world.domain.statistics.writesAfterFree == 1)
    }
}
