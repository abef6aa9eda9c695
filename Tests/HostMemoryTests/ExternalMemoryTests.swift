import Glibc
import HostMemory
import TestSupport
import Testing

@Suite struct ExternalMemoryTests {
    private static let page = 4096

    /// Fresh anonymous pages.
    private func map(_ pages: Int, _ protection: Int32, _ flags: Int32) -> UnsafeMutableRawPointer {
        unsafe mmap(nil, pages * Self.page, protection, flags | MAP_ANONYMOUS, -1, 0)
    }

    @Test func libraryMemoryIsSharedAndFileBacked() throws {
        let memory = try HostMemory.allocate(byteCount: 1 << 20, pages: .exactly(.size4KiB))
        let part = unsafe UnsafeRawBufferPointer(
            start: memory.baseAddress + Self.page, count: 2 * Self.page)
        let areas = unsafe try ExternalMemory.inspect(part, detailed: true)
        let area = try #require(areas.first)
        #expect(areas.count == 1)
        #expect(area.isShared && area.isFileBacked && area.isReadable && area.isWritable)
        #expect(area.path == "/memfd:vdpa-memory (deleted)")
        #expect(area.byteCount == 2 * Self.page, "clipped to what was asked about")
        #expect(area.fileOffset == UInt64(Self.page))
        #expect(area.kernelPageByteCount == Self.page)
        #expect(!area.isDeviceMemory)
    }

    @Test func privateReadOnlyAndSharedAnonymousMemoryAreToldApart() throws {
        let own = unsafe map(2, PROT_READ, MAP_PRIVATE)
        let shared = unsafe map(2, PROT_READ | PROT_WRITE, MAP_SHARED)
        defer {
            unsafe munmap(own, 2 * Self.page)
            unsafe munmap(shared, 2 * Self.page)
        }
        let first = unsafe try ExternalMemory.inspect(.init(start: own, count: 2 * Self.page))
        #expect(first.allSatisfy { !$0.isShared && !$0.isFileBacked && !$0.isWritable })
        #expect(first.allSatisfy { $0.isReadable && $0.kernelPageByteCount == nil })
        let second = unsafe try ExternalMemory.inspect(.init(start: shared, count: 2 * Self.page))
        #expect(second.allSatisfy { $0.isShared && $0.isFileBacked && $0.isWritable })
    }

    /// Holes in a list of the test's own: in the real one, another thread may fill them.
    @Test(arguments: [
        (0x1000, 0x1000, 0x1000, 0x1fff), (0x1000, 0x3000, 0x1000, 0x1fff),
        (0x2000, 0x3000, 0x4000, 0x4fff), (0x5000, 0x3000, 0x7000, 0x7fff),
        (0x3fff, 2, 0x4000, 0x4000), (0x9000, 0x1000, 0x9000, 0x9fff),
    ])
    func aHoleIsAnErrorThatSaysWhere(start: Int, count: Int, first: UInt, last: UInt) throws {
        let tree = try FileTree()
        try tree.write(
            "self/maps",
            """
            2000-4000 rw-s 00000000 00:01 12                         /memfd:a (deleted)
            5000-6000 r--p 00000000 00:00 0
            6000-7000 rw-p 00000000 00:00 0                          [heap]
            8000-9000 ---p 00000000 00:00 0

            """)
        let topology = HostTopology(procfs: tree.path)
        do throws(HostMemoryError) {
            _ = unsafe try ExternalMemory.inspect(
                .init(start: .init(bitPattern: start), count: count), topology: topology)
            Issue.record("a hole was not seen")
        } catch {
            #expect(error.code == .notMapped)
            #expect(error.addresses == first...last)
        }
    }

    @Test func severalAreasMakeUpARange() throws {
        let start = unsafe map(3, PROT_READ | PROT_WRITE, MAP_PRIVATE)
        defer { unsafe munmap(start, 3 * Self.page) }
        unsafe mprotect(start + Self.page, Self.page, PROT_READ)
        let areas = unsafe try ExternalMemory.inspect(.init(start: start, count: 3 * Self.page))
        #expect(areas.map(\.isWritable) == [true, false, true])
        #expect(areas.map(\.byteCount) == [Self.page, Self.page, Self.page])
    }

    @Test func emptyRangesAndUnreadableMapsAreErrors() throws {
        #expect {
            _ = unsafe try ExternalMemory.inspect(.init(start: nil, count: 0))
        } throws: {
            ($0 as? HostMemoryError)?.code == .invalidRequest
        }
        let byte: [UInt8] = [1]
        #expect {
            try unsafe byte.withUnsafeBytes {
                _ = unsafe try ExternalMemory.inspect($0, system: SystemCalls { _ in EMFILE })
            }
        } throws: {
            ($0 as? HostMemoryError)?.call == .readMaps
        }
    }
}
