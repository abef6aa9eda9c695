import Glibc
import Testing
import VDPAMemory
import VDPASimulator

/// What a C caller relies on.
@Suite("The C errno is always there")
struct ErrnoTests {
    let memory = SharedMemory(pages: 8)

    private func expect(
        _ errno: Int32, _ code: DMAError.Code, _ world: DomainWorld,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () throws(DMAError) -> Void
    ) throws {
        let error = try world.refusal(sourceLocation: sourceLocation, body).error
        #expect(error.code == code && error.errno == errno, sourceLocation: sourceLocation)
        #expect(error.kernelErrno == nil, sourceLocation: sourceLocation)
    }

    private func register(
        _ world: DomainWorld, at iova: UInt64, page: Int = 0
    ) throws(DMAError) -> RegionID {
        try unsafe world.domain.register(memory.pages(page), at: .fixed(IOVA(iova))).relinquish()
    }

    @Test func `a refusal of the library has the errno that the kernel or libc would give`() throws
    {
        var configuration = SimulatedDevice.Configuration.vpVDPA()
        configuration.entryLimit = 3
        configuration.lockedMemoryLimit = 8 << 20
        let world = try DomainWorld(configuration, .init(regionCapacity: 4))
        let id = try register(world, at: 0x10_0000)
        try expect(EINVAL, .invalidArgument, world) { () throws(DMAError) in
            _ = try world.domain.allocate(byteCount: 0)
        }
        try expect(EEXIST, .overlap, world) { () throws(DMAError) in
            _ = try register(world, at: 0x10_0000)
        }
        try expect(ERANGE, .outsideRange, world) { () throws(DMAError) in
            _ = try register(world, at: world.domain.range.last.rawValue + 1)
        }
        try expect(ENOMEM, .lockedMemoryLimit, world) { () throws(DMAError) in
            _ = try world.domain.allocate(byteCount: 10 << 20)
        }
        try expect(ENOSPC, .noSpace, world) { () throws(DMAError) in
            _ = try unsafe world.domain.register(
                memory.pages(0), at: .within(IOVARange(first: 0x10_0000, last: 0x10_0fff)))
        }
        try expect(ENOSPC, .entryLimit, world) { () throws(DMAError) in
            _ = try world.domain.batch { batch throws(DMAError) in
                for page in [1, 3, 5] { _ = try unsafe batch.register(memory.pages(page)) }
            }
        }
        try expect(E2BIG, .regionCapacity, world) { () throws(DMAError) in
            _ = try world.allocate(5, byteCount: 4096)
        }
        try expect(EBUSY, .addressSpace, world) { () throws(DMAError) in
            _ = try DMADomain(world.device)
        }
        try world.domain.free(id)
        try expect(ENOENT, .noSuchRegion, world) { () throws(DMAError) in
            try world.domain.free(id)
        }
        try expect(ECANCELED, .cancelled, world) { () throws(DMAError) in
            try world.domain.batch { _ throws(DMAError) in throw .cancelled("a test") }
        }
        world.domain.close()
        try expect(EBADF, .closed, world) { () throws(DMAError) in try world.domain.trim() }
    }

    @Test func `an enabled ring in the way is EBUSY, a ring nowhere is not`() throws {
        let world = try DomainWorld()
        let id = try world.allocate(1, byteCount: 2 << 20)[0]
        let first = try world.domain.info(id).range.first.rawValue
        func ring(_ first: UInt64) -> VringAddresses {
            VringAddresses(
                descriptors: IOVA(first), available: IOVA(first + 0x400),
                used: IOVA(first + 0x800))
        }
        try world.device.setQueueSize(16, ofQueue: 0)
        try expect(EINVAL, .unsafeControl, world) { () throws(DMAError) in
            try world.device.setRingAddresses(ring(0x7000_0000), ofQueue: 0)
        }
        try world.device.setRingAddresses(ring(first), ofQueue: 0)
        try world.device.setQueueEnabled(true, ofQueue: 0)
        try expect(EBUSY, .unsafeControl, world) { () throws(DMAError) in
            try world.domain.free(id)
        }
        try expect(EBUSY, .unsafeControl, world) { () throws(DMAError) in
            try world.domain.detach(world.device)
        }
    }

    @Test func `the kernel's own answer goes before the table`() throws {
        let world = try DomainWorld()
        world.simulator.failNext(.update, errno: EIO)
        let error = try world.refusal { () throws(DMAError) in
            _ = try world.domain.allocate(byteCount: 2 << 20)
        }.error
        #expect(error.errno == EIO && error.kernelErrno == EIO)
        #expect("\(error)".contains("errno \(EIO)"))
    }
}
