import CTestSupport
import Glibc
import HostMemory
import TestSupport
import Testing
import VDPAMemory
import VDPASimulator

@Suite("A region's memory is another process's too, and never a neighbour's")
struct DomainExportTests {
    private let dedicated = AllocationOptions(
        pages: .exactly(.size4KiB), isolation: .dedicated)

    /// A mapping of an export, as another process would make it.
    private func map(_ export: borrowing ExportedMemory) -> UnsafeMutablePointer<UInt8>? {
        guard
            let memory = unsafe ctest_map(export.descriptor, UInt64(export.mappableByteCount))
        else { return nil }
        return unsafe UnsafeMutablePointer(mutating: memory)
    }

    @Test(
        "a second process, the device and this one see each other's writes",
        arguments: [4096, 3 << 12, 2 << 20, 2 << 20 + 4096])
    func sharedByThree(byteCount: Int) throws {
        let world = try DomainWorld()
        let region = try world.domain.allocate(
            byteCount: byteCount, options: .init(isolation: .dedicated))
        let export = try region.export()
        #expect(ctest_closes_on_exec(export.descriptor) == 1)
        #expect(export.byteCount == byteCount && export.offset == 0)
        #expect(export.mappableByteCount % export.pageSize.byteCount == 0)
        #expect(export.mappableByteCount - byteCount < export.pageSize.byteCount)
        let last = byteCount - 1
        let answer = unsafe ctest_exchange(
            export.descriptor, UInt64(export.offset), UInt64(export.mappableByteCount),
            UInt64(last), region.address.assumingMemoryBound(to: UInt8.self))
        #expect(answer == 0)
        guard let other = unsafe map(export) else { throw DMAError.cancelled("not mapped") }
        defer { unsafe ctest_unmap(other, UInt64(export.mappableByteCount)) }
        #expect(world.simulator.write([0x5a], at: IOVA(region.iova.rawValue + UInt64(last))))
        #expect(unsafe other[last] == 0x5a)
        unsafe other[0] = 0x6b
        #expect(world.simulator.read(region.iova, byteCount: 1) == [0x6b])
    }

    @Test("a carved region is refused with the option that helps, and nothing is exported")
    func carvedIsRefused() throws {
        let world = try DomainWorld()
        let carved = try world.domain.allocate(byteCount: 4096)
        let answer = try world.refusal { () throws(DMAError) in
            let export = try carved.export()
            Issue.record("descriptor \(export.descriptor) shows neighbours")
        }
        #expect(answer.error.code == .notSupported)
        #expect(answer.error.remedy.contains("isolation: .dedicated"))
        #expect(try carved.info.isShared)
    }

    @Test("the caller's memory is refused: its descriptor is the caller's")
    func registeredIsRefused() throws {
        let world = try DomainWorld()
        let memory = SharedMemory(pages: 1)
        let region = try unsafe world.domain.register(memory.bytes)
        let answer = try world.refusal { () throws(DMAError) in
            let export = try region.export()
            Issue.record("descriptor \(export.descriptor)")
        }
        #expect(answer.error.code == .notSupported)
        #expect(region.byteCount == 4096)
    }

    @Test("an ID is exported too, until it is freed")
    func exportByID() throws {
        let world = try DomainWorld()
        let id = try world.domain.allocate(byteCount: 4096, options: dedicated).relinquish()
        let export = try world.domain.export(id)
        #expect(export.byteCount == 4096)
        try world.domain.free(id)
        let answer = try world.refusal { () throws(DMAError) in
            let export = try world.domain.export(id)
            Issue.record("descriptor \(export.descriptor)")
        }
        #expect(answer.error.code == .noSuchRegion)
    }

    @Test("an export closes its descriptor, unless it was taken")
    func descriptorIsOwned() throws {
        let world = try DomainWorld()
        let region = try world.domain.allocate(byteCount: 4096, options: dedicated)
        let taken = try region.export().takeDescriptor()
        #expect(fcntl(taken, F_GETFD) >= 0)
        close(taken)
        let other = try region.export().takeDescriptor()
        let file = File(of: other)
        close(other)
        for _ in 0..<10 { _ = try region.export().byteCount }
        // The memfd's own descriptor is the only one left.
        #expect((0..<1024).count { File(of: $0) == file } == 1)
    }

    @Test("what another process has mapped outlives the region, which the device cannot reach")
    func exportOutlivesTheRegion() throws {
        let world = try DomainWorld()
        let region = try world.domain.allocate(byteCount: 4096, options: dedicated)
        let export = try region.export()
        guard let other = unsafe map(export) else { throw DMAError.cancelled("not mapped") }
        defer { unsafe ctest_unmap(other, 4096) }
        let iova = region.iova
        unsafe region.bytes[7] = 0x42
        try region.free()
        #expect(unsafe other[7] == 0x42)
        #expect(!world.simulator.write([1], at: iova))
    }

    private struct File: Equatable {
        let device: dev_t
        let inode: ino_t

        /// nil where nothing has this number.
        init?(of descriptor: Int32) {
            var status = stat()
            guard unsafe fstat(descriptor, &status) == 0 else { return nil }
            (device, inode) = (status.st_dev, status.st_ino)
        }
    }
}
