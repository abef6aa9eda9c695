import Glibc
import HostMemory
import Synchronization
import Testing

@Suite struct PageSizeProbeTests {
    /// Answers one look-up with an errno, and counts them all.
    private final class LookUps: Sendable {
        private let made = Mutex(0)
        var count: Int { made.withLock { $0 } }

        func calls(failing number: Int, with code: Int32) -> SystemCalls {
            SystemCalls { call in
                guard call == .readSmaps else { return nil }
                return self.made.withLock { made in
                    made += 1
                    return made == number ? code : nil
                }
            }
        }
    }

    private func allocate(
        _ pages: PageSize, _ system: SystemCalls
    ) throws(HostMemoryError) -> PageSize {
        var options = HostMemory.Options()
        options.system = system
        return try HostMemory.allocate(
            byteCount: pages.byteCount, pages: .exactly(pages), options: options
        ).pageSize
    }

    /// ENOTTY: Linux before 6.11. The others: a policy that forbids the ioctl.
    @Test(arguments: [PageSize.size4KiB, .transparent2MiB], [ENOTTY, ENOSYS, EPERM, EACCES])
    func smapsAnswersAlikeWhereTheKernelCannotBeAskedForOneArea(
        pages: PageSize, code: Int32
    ) throws {
        let lookUps = LookUps()
        #expect(try allocate(pages, SystemCalls()) == pages)
        #expect(try allocate(pages, lookUps.calls(failing: 1, with: code)) == pages)
        #expect(lookUps.count == 2, "the query, then smaps")
    }

    @Test(arguments: [PageSize.size4KiB, .transparent2MiB], [ENOENT, ENOMEM, EINVAL])
    func anyOtherRefusalIsAnError(pages: PageSize, code: Int32) throws {
        let lookUps = LookUps()
        let error = #expect(throws: HostMemoryError.self) {
            try allocate(pages, lookUps.calls(failing: 1, with: code))
        }
        #expect(error?.call == .readSmaps && error?.errorNumber == code)
        #expect(lookUps.count == 1)
    }
}
