import Foundation
import Glibc
import HostMemory
import Synchronization
import Testing

@Suite struct PageSizeProbeTests {
    /// Answers one look-up with an errno, and counts them all.
    private final class LookUps: Sendable {
        private let made = Mutex(0)
        var count: Int { made.withLock { $0 } }

        /// - Parameter codes: the answer to each look-up by its number, from 1 on.
        func calls(failing codes: [Int: Int32]) -> SystemCalls {
            SystemCalls { call in
                guard call == .readSmaps else { return nil }
                return self.made.withLock { made in
                    made += 1
                    return codes[made]
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
        #expect(try allocate(pages, lookUps.calls(failing: [1: code])) == pages)
        #expect(lookUps.count == 2, "the query, then smaps")
    }

    @Test(arguments: [PageSize.size4KiB, .transparent2MiB], [ENOENT, ENOMEM, EINVAL])
    func anyOtherRefusalIsAnError(pages: PageSize, code: Int32) throws {
        let lookUps = LookUps()
        let error = #expect(throws: HostMemoryError.self) {
            _ = try allocate(pages, lookUps.calls(failing: [1: code]))
        }
        #expect(error?.call == .readSmaps && error?.errorNumber == code)
        #expect(lookUps.count == 1)
    }

    /// A process that may not be dumped is refused its own pagemap. Before Linux 6.11 nobody asks
    /// for that: the second look-up is smaps, whose refusal is an error.
    @Test func smapsAnswersWhereThePagemapIsRefused() throws {
        let lookUps = LookUps()
        let calls = lookUps.calls(failing: [2: EACCES])
        guard try Self.kernel() >= (6, 11) else {
            #expect(throws: HostMemoryError.self) { _ = try allocate(.size4KiB, calls) }
            return
        }
        #expect(try allocate(.size4KiB, calls) == .size4KiB)
        #expect(lookUps.count == 3, "maps, pagemap, smaps")
    }

    private static func kernel() throws -> (Int, Int) {
        let text = try String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8)
        let numbers = text.split { !$0.isNumber }.compactMap { Int($0) }
        return (try #require(numbers.first), try #require(numbers.dropFirst().first))
    }

    @Test func aRefusalOfSmapsIsAnErrorThatLeavesNothing() throws {
        var options = HostMemory.Options()
        options.name = Footprint.uniqueName()
        let before = try Footprint(of: options.name)
        for code: Int32 in [ENOMEM, EMFILE, EACCES] {
            let lookUps = LookUps()
            options.system = lookUps.calls(failing: [1: ENOTTY, 2: code])
            let error = #expect(throws: HostMemoryError.self) {
                _ = try HostMemory.allocate(
                    byteCount: 64 << 10, pages: .exactly(.size4KiB), options: options)
            }
            #expect(error?.call == .readSmaps && error?.errorNumber == code)
            #expect(try Footprint(of: options.name) == before)
        }
    }
}
