import HostMemory
import TestSupport
import Testing

@Suite struct NodeRunTests {
    private let node = HostTopology().nodes[0]

    @Test(arguments: [(0, 4096), (4096, 8192), (1, 4096), (4095, 2), (100, 20_000)])
    func aRangeOnOneNodeIsOneRun(offset: Int, byteCount: Int) throws {
        let memory = try HostMemory.allocate(
            byteCount: 8 << 12, pages: .exactly(.size4KiB), node: .required(node))
        let address = unsafe UInt(bitPattern: memory.baseAddress) + UInt(offset)
        let runs = try NodeRun.query(address, byteCount: byteCount, pageSize: 4096)
        #expect(runs.map(\.byteOffset) == [0])
        #expect(runs.map(\.byteCount) == [byteCount])
        #expect(runs.map(\.node) == [node])
        #expect(memory.byteCount == 8 << 12)
    }

    @Test func pagesThatAreNotThereAreARunWithoutANode() throws {
        // Nothing is mapped behind the memory's own guard: page 0 of the process.
        let runs = try NodeRun.query(0, byteCount: 3 << 12, pageSize: 4096)
        #expect(runs.map(\.node) == [nil])
        #expect(runs.map(\.byteCount) == [3 << 12])
    }

    @Test func aRefusedQueryIsAnError() {
        #expect {
            _ = try NodeRun.query(
                0x1000, byteCount: 4096, pageSize: 4096, system: SystemCalls { _ in 1 })
        } throws: {
            ($0 as? HostMemoryError)?.call == .queryNodes
        }
    }
}
