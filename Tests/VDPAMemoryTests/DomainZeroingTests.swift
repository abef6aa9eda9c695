import CTestSupport
import Glibc
import HostMemory
import Testing
import VDPAMemory
import VDPASimulator

@Suite("Zeroed when freed: nobody finds what was there")
struct DomainZeroingTests {
    /// A dedicated region full of 0x77, looked at through another mapping of its memory.
    @safe private final class Watched {
        let view: UnsafeMutablePointer<UInt8>
        let byteCount: Int
        let iova: IOVA
        var region: DMARegion?

        init(_ domain: DMADomain, isZeroed: Bool) throws {
            let region = try domain.allocate(
                byteCount: 3 << 12,
                options: .init(
                    pages: .exactly(.size4KiB), isolation: .dedicated, isZeroedWhenFreed: isZeroed))
            iova = region.iova
            let export = try region.export()
            byteCount = export.mappableByteCount
            guard let view = unsafe ctest_map(export.descriptor, UInt64(byteCount)) else {
                throw DMAError.cancelled("the export is not mapped")
            }
            unsafe self.view = UnsafeMutablePointer(mutating: view)
            for index in 0..<byteCount { unsafe region.bytes[index] = 0x77 }
            self.region = consume region
        }

        func relinquish() { _ = region.take()?.relinquish() }

        func free() throws { try region.take()?.free() }

        /// What the memory holds: one value, or nil for a mixture.
        var content: UInt8? {
            let first = unsafe view[0]
            return (0..<byteCount).allSatisfy { unsafe view[$0] == first } ? first : nil
        }

        deinit { unsafe ctest_unmap(view, UInt64(byteCount)) }
    }

    @Test("a dedicated region's bytes are zeros when free returns, where that was asked")
    func dedicated() throws {
        let world = try DomainWorld()
        for isZeroed in [true, false] {
            let watched = try Watched(world.domain, isZeroed: isZeroed)
            #expect(watched.content == 0x77)
            try watched.free()
            #expect(watched.content == (isZeroed ? 0 : 0x77))
        }
    }

    @Test("while its unmapping is deferred the device still finds them, and zeros after the flush")
    func deferred() throws {
        let world = try DomainWorld(
            .vdpaSimNet(), .init(unmapping: .deferred(maximumBytes: 1 << 30)))
        let watched = try Watched(world.domain, isZeroed: true)
        let iova = watched.iova
        try watched.free()
        #expect(watched.content == 0x77)
        // The device may still write, which is why zeroing must wait.
        #expect(world.simulator.write([0x11], at: iova))
        try world.domain.flush()
        #expect(watched.content == 0)
        #expect(!world.simulator.write([0x22], at: iova))
    }

    @Test("a region in quarantine keeps its bytes until remap confirms that it is unmapped")
    func quarantined() throws {
        let world = try DomainWorld()
        let watched = try Watched(world.domain, isZeroed: true)
        world.simulator.failCall(world.simulator.calls + 1, errno: EIO)
        #expect(throws: DMAError.self) { try watched.free() }
        #expect(world.domain.statistics.quarantinedExtents == 1)
        #expect(watched.content == 0x77)
        try world.domain.remap()
        #expect(watched.content == 0)
    }

    @Test("closing the domain zeroes what still lives")
    func closing() throws {
        let world = try DomainWorld()
        let watched = try Watched(world.domain, isZeroed: true)
        watched.relinquish()
        #expect(world.domain.statistics.regions == 1)
        world.domain.close()
        #expect(watched.content == 0)
    }

    @Test("a carved region's bytes are zeros as soon as it is freed, its neighbours' are not")
    func carved() throws {
        let world = try DomainWorld()
        let options = AllocationOptions(isUninitialised: true, isZeroedWhenFreed: true)
        let ids = try world.allocate(3, byteCount: 8192, options)
        let infos = try ids.map { try world.domain.info($0) }
        for info in infos { unsafe memset(info.address, 0x77, 8192) }
        // Safe, and below too: the shared extent stays while its other regions live.
        let middle = unsafe UnsafeRawBufferPointer(start: infos[1].address, count: 8192)
        try world.domain.free(ids[1])
        #expect(unsafe middle.allSatisfy { $0 == 0 })
        for info in [infos[0], infos[2]] {
            let bytes = unsafe UnsafeRawBufferPointer(start: info.address, count: 8192)
            #expect(unsafe bytes.allSatisfy { $0 == 0x77 })
        }
        // Freed without the option, the bytes are still there for who asks for no zeros.
        let plain = AllocationOptions(isUninitialised: true)
        let others = try world.allocate(2, byteCount: 8192, plain)
        let info = try world.domain.info(others[0])
        unsafe memset(info.address, 0x66, 8192)
        try world.domain.free(others[0])
        #expect(unsafe info.address.load(as: UInt8.self) == 0x66)
    }
}
