import HostMemory
import TestSupport
import Testing

@Suite struct LockedMemoryLimitTests {
    @Test func pinnedMemoryIsReadFromStatus() throws {
        let tree = try FileTree()
        try tree.write("self/status", "Name:\tx\nVmLck:\t       8 kB\nVmPin:\t    1234 kB\n")
        let limit = try LockedMemoryLimit.read(topology: HostTopology(procfs: tree.path))
        #expect(limit.pinned == 1234 << 10)
        #expect(limit.soft <= limit.hard)
        #expect(limit.remaining == (limit.soft == .max ? .max : limit.soft - 1234 << 10))
    }

    @Test func aStatusWithoutTheFigureIsAnError() throws {
        let tree = try FileTree()
        try tree.write("self/status", "Name:\tx\n")
        #expect {
            _ = try LockedMemoryLimit.read(topology: HostTopology(procfs: tree.path))
        } throws: {
            ($0 as? HostMemoryError)?.call == .readStatus
        }
    }

    @Test func theSoftLimitIsRaisedToTheHardOne() throws {
        let limit = try LockedMemoryLimit.raiseSoftToHard()
        #expect(limit.soft == limit.hard)
    }

    @Test(arguments: [SystemCall.readLimit, .readStatus]) func refusalsAreErrors(call: SystemCall) {
        #expect {
            _ = try LockedMemoryLimit.read(system: SystemCalls { $0 == call ? 1 : nil })
        } throws: {
            ($0 as? HostMemoryError)?.call == call && ($0 as? HostMemoryError)?.errorNumber == 1
        }
    }
}
