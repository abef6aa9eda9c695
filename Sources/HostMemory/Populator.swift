internal import CNUMA
internal import Glibc
internal import Synchronization

/// Populates a mapping on several threads. The thread that has populated a chunk asks at once for
/// the nodes of its pages, so that verification takes as many threads.
struct Populator {
    private let address: UInt
    private let byteCount: Int
    private let pages: PageSize
    private let population: Population
    private let interleavedNodeCount: Int
    private let system: SystemCalls

    init(
        _ mapping: borrowing MemoryMapping, pages: PageSize, _ binding: NodeBinding,
        _ population: Population, _ system: SystemCalls
    ) {
        interleavedNodeCount = binding.mode == .interleaved ? binding.nodes.count : 1
        address = mapping.address
        byteCount = mapping.byteCount
        self.pages = pages
        self.population = population
        self.system = system
    }

    /// Brings every page into being. MADV_POPULATE_WRITE answers with an errno where touching
    /// would raise SIGBUS.
    ///
    /// - Returns: where the pages lie; nil for transparent ones, whose size is not known before
    ///   smaps tells.
    /// - Throws: `exhausted` where the kernel finds no page, `cancelled`, `systemCallFailed`.
    func populate() throws(HostMemoryError) -> NodeCount? {
        let tally = NodeTally()
        let (address, system, pages, nodeCount) = (address, system, pages, interleavedNodeCount)
        let result = run { offset, size in
            let first = address + UInt(offset)
            if pages == .transparent2MiB {
                return Populator.populateTransparent(
                    first, size, index: offset / pages.byteCount, nodeCount: nodeCount, system)
            }
            let result = Populator.populate(first, size, system)
            guard result >= 0 else { return result }
            tally.count(first, size, stride: pages.byteCount, system)
            return 0
        }
        switch result {
        case 0:
            // Here too: another thread may have done the last chunk while this one did its first.
            guard population.progress?(byteCount, byteCount) != false else {
                throw HostMemoryError(.cancelled)
            }
        case ChunkedWork.cancelled: throw HostMemoryError(.cancelled)
        default:
            var error = HostMemoryError(.populate, result)
            // A page that cannot be had: EFAULT where touching would be SIGBUS (hugetlb),
            // otherwise ENOMEM. See mm/gup.c, faultin_page.
            if [EFAULT, ENOMEM].contains(-result) { error.code = .exhausted }
            throw error
        }
        return pages == .transparent2MiB ? nil : tally.total
    }

    /// Asks for the node of every page, in a pass of its own.
    ///
    /// - Throws: `cancelled`: the progress callback is asked here too, with all populated.
    func countNodes(stride: Int) throws(HostMemoryError) -> NodeCount {
        let tally = NodeTally()
        let (address, system) = (address, system)
        let all = byteCount
        let ask = population.progress.map { progress -> Population.Progress in
            { _, _ in progress(all, all) }
        }
        let result = run(ask) { offset, size in
            tally.count(address + UInt(offset), size, stride: stride, system)
            return 0
        }
        if result == ChunkedWork.cancelled { throw HostMemoryError(.cancelled) }
        return tally.total
    }

    private func run(_ body: @escaping ChunkedWork.Body) -> Int32 {
        run(population.progress, body)
    }

    private func run(
        _ progress: Population.Progress?, _ body: @escaping ChunkedWork.Body
    ) -> Int32 {
        let chunk = Population.chunkByteCount(pages: pages)
        let threads = population.resolvedThreadCount(byteCount: byteCount, chunk: chunk)
        return ChunkedWork.run(
            byteCount: byteCount, chunk: chunk, threadCount: threads, progress: progress, body)
    }

    /// Makes transparent hugepages: one ordinary page in each, on the node that the policy chooses,
    /// then MADV_COLLAPSE, which takes a hugepage on that page's node and fills it with zeros. What
    /// it could not do is ordinary pages, collapsed afterwards at the best.
    ///
    /// Populating all the ordinary pages first would have them copied: ten times slower, where the
    /// kernel's setting for shared memory does not give hugepages at once.
    ///
    /// - Parameters:
    ///   - index: the first hugepage's number in the file.
    ///   - nodeCount: over how many nodes the policy interleaves; the kernel takes a page's number
    ///     in the file modulo this, so that the first pages of hugepages would be on one node.
    /// - Returns: 0 or -errno.
    private static func populateTransparent(
        _ address: UInt, _ byteCount: Int, index: Int, nodeCount: Int, _ system: SystemCalls
    ) -> Int32 {
        let (large, small) = (PageSize.transparent2MiB.byteCount, PageSize.size4KiB.byteCount)
        // Hugepage n begins at ordinary page n * step: so many more make it n, modulo the nodes.
        let step = large / small
        for number in 0..<byteCount / large {
            let turn = (index + number) % nodeCount
            let start = (turn * step) % nodeCount
            let seed = (turn - start + nodeCount) % nodeCount % step
            let place = address + UInt(number * large + seed * small)
            let result = populate(place, small, system)
            guard result >= 0 else { return result }
        }
        // Best effort: the kernel answers EAGAIN or ENOMEM for the part it could not do.
        let collapsed = system.advise(.collapse, address, byteCount: byteCount)
        let result = populate(address, byteCount, system)
        guard result >= 0 else { return result }
        if collapsed < 0 { _ = system.advise(.collapse, address, byteCount: byteCount) }
        return 0
    }

    /// - Returns: 0 or -errno.
    static func populate(_ address: UInt, _ byteCount: Int, _ system: SystemCalls) -> Int32 {
        while true {
            let result = system.advise(.populate, address, byteCount: byteCount)
            guard result == -EINTR || result == -EAGAIN else { return result }
        }
    }
}
