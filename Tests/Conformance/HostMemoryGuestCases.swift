internal import HostMemory

/// Cases for a machine of two nodes with hugepage pools of known sizes: the test VM. Each leaves
/// the pools as they were, so their order does not matter.
///
/// Expected: 2 MiB pages on nodes 0 and 1 in the numbers below, all free; a free page of 1 GiB on
/// node 1; 3 GiB of memory on each node.
package enum HostMemoryGuestCases {
    package typealias Case = (name: String, body: @Sendable () throws -> Void)

    static let pagesOnNode0 = 96
    static let pagesOnNode1 = 64

    package static let all: [Case] = [
        ("the machine is the one that the cases expect", expectedMachine),
        ("a required node holds every 2 MiB page, on each node", requiredNode),
        ("a required node that is short of pages is an error with figures", requiredExhausted),
        ("a preferred node spills, and the placement says how much", preferredSpills),
        ("the device's node is preferred", deviceNode),
        ("a device behind a PCI function has its node, a simulator has none", devicesNode),
        ("pages are interleaved evenly over two nodes", interleaved),
        ("the calling thread's node is used", callingThread),
        ("a page of 1 GiB is had where there is one", gigantic),
        ("largest takes a 1 GiB page, and smaller ones when it is gone", largestFallsBack),
        ("largest on a short node falls back on the same node", largestStaysOnNode),
        ("transparent pages are proven on each node", transparent),
        ("pages on both nodes can all be taken, touched and given back", wholePool),
        ("a node that runs short while it is populated is an error", shortWhilePopulating),
        ("a machine that is short at mmap is an error", shortAtMap),
        ("each step fails once and the pools stay as they were", everyStep),
        ("ordinary memory beyond a node's is refused, and nobody is killed", ordinaryExhausted),
        ("a node that is emptied before any step is an error with figures", rivalTakesTheNode),
        ("a node that is emptied spills before any step", rivalTakesThePreferredNode),
        ("a 1 GiB page that is taken before any step is an error", rivalTakesTheGiganticPage),
        ("ordinary memory that is not there is refused before any call", ordinaryRefusedEarly),
        ("population is cancelled at any chunk, and the pools stay as they were", cancelled),
    ]

    // MARK: support

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func require(
        _ condition: Bool, _ message: @autoclosure () -> String, line: UInt = #line
    ) throws {
        if !condition { throw Failure(description: "line \(line): \(message())") }
    }

    static func requireEqual<Value: Equatable>(
        _ value: Value, _ expected: Value, line: UInt = #line
    ) throws {
        try require(value == expected, "\(value), expected \(expected)", line: line)
    }

    /// Runs a body and checks that the pools are afterwards as they were before.
    static func poolsUnchanged(_ body: () throws -> Void) throws {
        let before = Pools()
        try body()
        try requireEqual(Pools(), before)
    }

    /// The error of an allocation that must not succeed.
    static func refusal(
        _ byteCount: Int, _ pages: PagePolicy, _ node: NodePolicy,
        _ options: HostMemory.Options = .init(), line: UInt = #line
    ) throws -> HostMemoryError {
        do throws(HostMemoryError) {
            let memory = try HostMemory.allocate(
                byteCount: byteCount, pages: pages, node: node, options: options)
            throw HostMemoryError(memory.byteCount > 0 ? .invalidRequest : .cancelled)
        } catch {
            try require(error.code != .invalidRequest, "succeeded", line: line)
            return error
        }
    }

    /// Reads and writes a byte of every page: SIGBUS, if anything is wrong, ends the run.
    static func touch(_ memory: borrowing HostMemory) throws {
        let step = memory.pageSize.byteCount
        for offset in stride(from: 0, to: memory.byteCount, by: step) {
            // Safe: inside the memory, which this function's caller holds.
            let pointer = unsafe memory.baseAddress + offset + step - 1
            let value = unsafe pointer.load(as: UInt8.self)
            try require(value == 0, "byte \(offset + step - 1) is \(value) and not 0")
            unsafe pointer.storeBytes(of: 0xa5, as: UInt8.self)
        }
    }
}

/// The free pages of each pool, and where the kernel stands with its promises.
struct Pools: Equatable, CustomStringConvertible {
    let small = HostTopology().freePages(of: .size2MiB)
    let gigantic = HostTopology().freePages(of: .size1GiB)
    let machine = HostTopology().pool(of: .size2MiB)

    var description: String {
        "2 MiB: \(small), 1 GiB: \(gigantic), machine: \(machine?.free ?? -1)"
    }
}
