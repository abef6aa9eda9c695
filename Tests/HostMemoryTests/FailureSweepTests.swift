import HostMemory
import Synchronization
import Testing

/// Every step fails once, and nothing is left.
@Suite(.serialized) struct FailureSweepTests {
    /// Calls in the order in which they were made, and which of them is to fail.
    private final class Plan: Sendable {
        let calls = Mutex<[SystemCall]>([])
        let failing: Int
        let code: Int32

        init(failing: Int, code: Int32) {
            self.failing = failing
            self.code = code
        }

        func fault(_ call: SystemCall) -> Int32? {
            calls.withLock { calls in
                calls.append(call)
                return calls.count == failing ? code : nil
            }
        }
    }

    /// Steps that may fail without harm: the page size is read from smaps all the same.
    private static let bestEffort: Set<SystemCall> = [.adviseHugepage, .adviseOrdinary, .collapse]

    @Test(arguments: [PagePolicy.exactly(.size4KiB), .exactly(.transparent2MiB), .largest])
    func everyStepFailsOnceAndNothingIsLeft(pages: PagePolicy) throws {
        try sweep(pages, .preferred(0))
    }

    @Test(arguments: [
        NodePolicy.device, .any, .required(0), .callingThread, .interleaved([0]),
    ])
    func everyStepFailsOnceUnderEveryNodePolicy(node: NodePolicy) throws {
        try sweep(.exactly(.size4KiB), node)
        try sweep(.firstOf([.transparent2MiB, .size4KiB]), node)
    }

    private func sweep(_ pages: PagePolicy, _ node: NodePolicy) throws {
        let name = Footprint.uniqueName()
        let before = try Footprint(of: name)
        var failed: Set<SystemCall> = []
        for code: Int32 in [12, 22] {
            var step = 1
            while true {
                let plan = Plan(failing: step, code: code)
                var options = HostMemory.Options()
                options.name = name
                options.isExcludedFromCoreDumps = true
                options.system = SystemCalls { plan.fault($0) }
                var succeeded = false
                do throws(HostMemoryError) {
                    let memory = try HostMemory.allocate(
                        byteCount: 10 << 20, pages: pages, node: node, deviceNode: 0,
                        options: options)
                    succeeded = memory.byteCount == 10 << 20
                } catch {
                    #expect("\(error)".count > 10)
                }
                #expect(try Footprint(of: name) == before, "step \(step), errno \(code)")
                let made = plan.calls.withLock { $0 }
                guard made.count >= step else { break }
                let call = made[step - 1]
                failed.insert(call)
                if !Self.bestEffort.contains(call), case .exactly = pages {
                    #expect(!succeeded, "\(call.rawValue) failed unnoticed")
                }
                step += 1
            }
        }
        var expected: Set<SystemCall> = [
            .memfdCreate, .truncate, .map, .adviseFork, .adviseDump, .populate, .readSmaps,
            .queryNodes,
        ]
        if node != .any { expected.insert(.bind) }
        if node == .callingThread { expected.insert(.currentNode) }
        if pages != .exactly(.size4KiB) { expected.formUnion([.reserve, .trim, .collapse]) }
        #expect(failed.isSuperset(of: expected), "not reached: \(expected.subtracting(failed))")
    }

    @Test func everyAllocationGivesBackItsMappingAndDescriptor() throws {
        let name = Footprint.uniqueName()
        var options = HostMemory.Options()
        options.name = name
        let before = try Footprint(of: name)
        do {
            let memory = try HostMemory.allocate(byteCount: 10 << 20, options: options)
            let during = try Footprint(of: name)
            #expect(during.mappings == 1)
            #expect(during.descriptors == 1)
            #expect(memory.descriptor > 2)
        }
        #expect(try Footprint(of: name) == before)
    }
}
