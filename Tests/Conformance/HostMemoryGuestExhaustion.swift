internal import HostMemory
internal import Synchronization

// Somebody else empties the pool while an allocation is at work: before each of its steps, as
// another process can at any moment.
extension HostMemoryGuestCases {
    private static let page = PageSize.size2MiB.byteCount

    /// Takes pages at one step of an allocation, once, and holds them.
    private final class Rival: Sendable {
        private let step: SystemCall
        private let take: @Sendable () -> Held?
        private let state = Mutex<(isDone: Bool, held: Held?)>((false, nil))

        init(before step: SystemCall, _ take: @escaping @Sendable () -> Held?) {
            self.step = step
            self.take = take
        }

        var isDone: Bool { state.withLock { $0.isDone } }

        var calls: SystemCalls {
            SystemCalls { [self] call in
                state.withLock { state in
                    guard call == step, !state.isDone else { return }
                    state.isDone = true
                    state.held = take()
                }
                return nil
            }
        }
    }

    private final class Held: Sendable {
        let memory: HostMemory

        /// All pages of a size that are free on a node; nil where they are promised already.
        init?(allOf size: PageSize, onNode node: Int) {
            let pages = HostTopology().freePages(of: size)[node] ?? 0
            do throws(HostMemoryError) {
                memory = try HostMemory.allocate(
                    byteCount: pages * size.byteCount, pages: .exactly(size), node: .required(node))
            } catch {
                return nil
            }
        }
    }

    private static let steps: [SystemCall] = [
        .memfdCreate, .truncate, .map, .adviseFork, .bind, .populate, .readSmaps, .queryNodes,
    ]

    /// 48 pages in two chunks on two threads. What node 1 or 0 has goes before the step.
    @Sendable static func rivalTakesTheNode() throws {
        for node in [0, 1] {
            for step in steps {
                // Each thread asks for nodes once its first chunk is there: the second may be
                // short.
                let mustFail = step != .readSmaps && step != .queryNodes
                try poolsUnchanged {
                    let rival = Rival(before: step) { Held(allOf: .size2MiB, onNode: node) }
                    var options = HostMemory.Options()
                    options.population.threadCount = 2
                    options.system = rival.calls
                    do throws(HostMemoryError) {
                        let memory = try HostMemory.allocate(
                            byteCount: 48 * page, pages: .exactly(.size2MiB),
                            node: .required(node), options: options)
                        guard !mustFail else { throw HostMemoryError(.invalidRequest) }
                        try requireUsable(memory, [node: 48])
                    } catch {
                        try requireExhausted(error, node, wanted: 48, at: .populate)
                    }
                    try require(rival.isDone, "\(step.rawValue) was not reached")
                }
            }
        }
    }

    private static func requireUsable(
        _ memory: borrowing HostMemory, _ pagesByNode: [Int: Int]
    ) throws(HostMemoryError) {
        do {
            try requireEqual(memory.placement.pagesByNode, pagesByNode)
            try touch(memory)
        } catch {
            throw HostMemoryError(.misplaced)
        }
    }

    /// The error names the node, the page size, what was wanted and what is free.
    private static func requireExhausted(
        _ error: HostMemoryError, _ node: Int, wanted: Int, at call: SystemCall
    ) throws {
        try require(error.code == .exhausted, "\(error)")
        try requireEqual(error.call, call)
        try requireEqual(error.nodes, [node])
        try requireEqual(error.wantedPages, wanted)
        let size = error.pageSize?.description ?? "no page size"
        for part in ["wanted \(wanted) pages of \(size)", "on node \(node)", "free: "] {
            try require(error.description.contains(part), "\(part): \(error)")
        }
    }

    /// What node 1 cannot give comes from node 0, and the placement says so.
    @Sendable static func rivalTakesThePreferredNode() throws {
        for node in [NodePolicy.preferred(1), .interleaved([0, 1]), .any] {
            for step in [SystemCall.memfdCreate, .map, .bind, .populate] {
                try poolsUnchanged {
                    let rival = Rival(before: step) { Held(allOf: .size2MiB, onNode: 1) }
                    var options = HostMemory.Options()
                    options.system = rival.calls
                    let memory = try HostMemory.allocate(
                        byteCount: 24 * page, pages: .exactly(.size2MiB), node: node,
                        options: options)
                    // `.any` makes no call to bind.
                    guard rival.isDone else { return try requireEqual(step, .bind) }
                    try requireEqual(memory.placement.pagesByNode, [0: 24])
                    try requireEqual(
                        memory.placement.spilledPages, node == .preferred(1) ? 24 : 0)
                    try touch(memory)
                }
            }
        }
    }

    /// The page is promised at mmap, so that it can be lost only before.
    @Sendable static func rivalTakesTheGiganticPage() throws {
        let pages = HostTopology().freePages(of: .size1GiB)[1] ?? 0
        for step in [SystemCall.memfdCreate, .map, .populate] {
            try poolsUnchanged {
                let rival = Rival(before: step) { Held(allOf: .size1GiB, onNode: 1) }
                var options = HostMemory.Options()
                options.system = rival.calls
                if step == .populate {
                    let memory = try HostMemory.allocate(
                        byteCount: pages << 30, pages: .exactly(.size1GiB), node: .required(1),
                        options: options)
                    try requireEqual(memory.placement.pagesByNode, [1: pages])
                    return try touch(memory)
                }
                let error = try refusal(pages << 30, .exactly(.size1GiB), .required(1), options)
                // Where node 0 has one too, mmap is content with that, and populating is not.
                let call = HostTopology().freePages(of: .size1GiB)[0] ?? 0 > 0
                try requireExhausted(error, 1, wanted: pages, at: call ? .populate : .map)
            }
        }
    }

    @Sendable static func ordinaryRefusedEarly() throws {
        var options = HostMemory.Options()
        options.system = SystemCalls { call in fatalError("\(call.rawValue) was made") }
        for size in [PageSize.size4KiB, .transparent2MiB] {
            for node in [NodePolicy.required(0), .required(1), .any, .preferred(1)] {
                let error = try refusal(8 << 30, .exactly(size), node, options)
                try requireEqual(error.code, .exhausted)
                try requireEqual(error.call, nil)
                try requireEqual(error.wantedPages, 8 << 30 / size.byteCount)
                try requireEqual(error.freePagesByNode.keys.sorted(), [0, 1])
                try require(error.freePagesByNode.values.allSatisfy { $0 > 0 }, "\(error)")
            }
        }
    }

    /// Three chunks; after each report, on one and on two threads.
    @Sendable static func cancelled() throws {
        for threads in [1, 2] {
            for report in 1...2 {
                var options = HostMemory.Options()
                let counter = Counter()
                options.population = Population(threadCount: threads) { populated, total in
                    counter.next() < report || populated == total
                }
                try poolsUnchanged {
                    do throws(HostMemoryError) {
                        let memory = try HostMemory.allocate(
                            byteCount: 96 * page, pages: .exactly(.size2MiB), node: .required(0),
                            options: options)
                        // The allocating thread of two may have had one chunk only.
                        try requireUsable(memory, [0: 96])
                        guard threads == 2 else { throw HostMemoryError(.invalidRequest) }
                    } catch {
                        try requireEqual(error.code, .cancelled)
                    }
                }
            }
        }
    }

    private final class Counter: Sendable {
        private let value = Atomic<Int>(0)
        func next() -> Int { value.wrappingAdd(1, ordering: .relaxed).newValue }
    }
}
