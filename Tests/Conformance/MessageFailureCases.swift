internal import Glibc
internal import Synchronization
internal import VDPAMemory
internal import VhostVDPA

extension ConformanceCase {
    /// What a failed message leaves, at each place in a batch: nothing.
    static let messageFailures: [ConformanceCase] = [
        ConformanceCase("a failure at any message of a batch leaves everything as it was") {
            context in
            var number = 1
            // BEGIN and END, four UPDATEs and an INVALIDATE at least.
            while try !FailureSweep(context).fails(atMessage: number) {
                number += 1
                try expectEqual(number < 40, true, "the batch never succeeds")
            }
            let least = context.profile == .simNoBatch ? 5 : 6
            try expectEqual(number > least, true, "only \(number - 1) messages were made to fail")
        }
    ]
}

/// One batch on a device of its own, whose messages go through a file that fails one of them.
private struct FailureSweep {
    private let context: Context
    private let file: FailingFile
    private let domain: DMADomain
    private let kept: RegionID
    private let pages: PagesBox
    private let keptAt: UInt64 = 0x2000_0000
    private let largeAt: UInt64 = 0x4000_0000
    private let smallAt: [UInt64] = [0x1_0000, 0x2_0000, 0x3_0000]

    init(_ context: Context) throws {
        self.context = context
        file = FailingFile(try context.machine.open().get())
        domain = try DMADomain(try context.device(over: file))
        kept = try domain.allocate(
            byteCount: 2 << 20, options: .init(placement: .fixed(IOVA(keptAt)))
        ).relinquish()
        pages = PagesBox(try Pages(4))
    }

    /// Whether the batch, with one message failed, has succeeded: it then had fewer.
    func fails(atMessage number: Int) throws -> Bool {
        let before = try Traces(self)
        file.fail(atMessage: number)
        do {
            try act()
        } catch {
            let what = "message \(number): \(error)"
            try expectEqual(error.errno, Int32(EFAULT), what)
            try expectEqual(error.code != .undoIncomplete, true, what)
            try expectEqual(file.hasFailed, true, what)
            try expectEqual(try Traces(self), before, what)
            // And nothing is in the way of the same batch.
            try act()
            try expectEqual(try Traces(self) == before, false, "the batch did nothing")
            return false
        }
        try expectEqual(file.hasFailed, false, "message \(number) failed, and nobody said so")
        return true
    }

    private func act() throws(DMAError) {
        try domain.batch { batch throws(DMAError) in
            for (page, address) in smallAt.enumerated() {
                _ = try unsafe batch.register(
                    pages.pages.buffer(page, 1), at: .fixed(IOVA(address)))
            }
            _ = try batch.allocate(
                byteCount: 2 << 20, options: .init(placement: .fixed(IOVA(largeAt))))
            try batch.free(kept)
        }
    }

    /// What can be seen from outside the domain, and what it says itself.
    private struct Traces: Equatable, CustomStringConvertible {
        /// The kernel's table, a page in each place that the batch is about.
        var isFree: [Bool]
        var pinnedPages: Int
        var regions: Int
        var mappedBytes: UInt64
        var quarantinedExtents: Int
        var entries: [Int]
        var spaceBytes: [UInt64]
        /// Of the process, where nothing else happens in it.
        var descriptors = 0
        var memoryFiles = 0

        init(_ sweep: FailureSweep) throws {
            let raw = Client(sweep.file.inner, closes: false)
            let spare = sweep.pages.pages[3]
            let places = sweep.smallAt + [sweep.largeAt, sweep.largeAt + (1 << 20), sweep.keptAt]
            isFree = places.map { raw.isFree($0, spare) }
            pinnedPages = sweep.context.pinnedPages()
            let now = sweep.domain.statistics
            regions = now.regions
            mappedBytes = now.mappedBytes
            quarantinedExtents = now.quarantinedExtents
            entries = [now.extents, now.entriesAtLeast, now.entriesAtMost]
            spaceBytes = [now.freeBytes, now.largestHoleBytes]
            guard sweep.context.machine.isAlone else { return }
            descriptors = (0..<1024).count { fcntl($0, F_GETFD) >= 0 }
            memoryFiles = try Self.memoryFileCount()
        }

        /// The mappings of memory files, which are the library's.
        private static func memoryFileCount() throws -> Int {
            guard let maps = unsafe fopen("/proc/self/maps", "re") else {
                throw ConformanceFailure(description: "/proc/self/maps: errno \(errno)")
            }
            defer { _ = unsafe fclose(maps) }
            var count = 0
            var line = [CChar](repeating: 0, count: 512)
            // Safe: a line is cut at the buffer's size, and ends with 0.
            while unsafe fgets(&line, Int32(line.count), maps) != nil {
                if unsafe strstr(line, "/memfd:") != nil { count += 1 }
            }
            return count
        }

        var description: String {
            "free \(isFree), pinned \(pinnedPages), regions \(regions), mapped \(mappedBytes), "
                + "quarantine \(quarantinedExtents), entries \(entries), space \(spaceBytes), "
                + "descriptors \(descriptors), memory files \(memoryFiles)"
        }
    }
}

/// Pages that a copyable value may hold.
private final class PagesBox {
    let pages: Pages
    init(_ pages: consuming Pages) { self.pages = pages }
}

/// A device file that answers one message with EFAULT, as the kernel does: nothing is done then.
private final class FailingFile: DeviceFile {
    let inner: any DeviceFile
    /// Messages until the one that fails; 0 for none.
    private let left = Atomic(0)
    private let failures = Atomic(0)

    init(_ inner: any DeviceFile) { self.inner = inner }

    var hasFailed: Bool { failures.load(ordering: .sequentiallyConsistent) > 0 }

    func fail(atMessage number: Int) { left.store(number, ordering: .sequentiallyConsistent) }

    func ioctl(_ request: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
        // Safe: the caller vouches for the argument.
        unsafe inner.ioctl(request, argument)
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        if left.load(ordering: .sequentiallyConsistent) > 0,
            left.subtract(1, ordering: .sequentiallyConsistent).newValue == 0
        {
            failures.add(1, ordering: .sequentiallyConsistent)
            return Int(-EFAULT)
        }
        // Safe: the caller vouches for the bytes.
        return unsafe inner.write(bytes)
    }

    func close() -> Int32 { inner.close() }
}
