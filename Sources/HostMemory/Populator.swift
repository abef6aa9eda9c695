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
    private let system: SystemCalls

    init(
        _ mapping: borrowing MemoryMapping, pages: PageSize, _ population: Population,
        _ system: SystemCalls
    ) {
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
        let (address, system, pages) = (address, system, pages)
        let result = run { offset, size in
            let first = address + UInt(offset)
            if pages == .transparent2MiB {
                return Populator.populateTransparent(first, size, system)
            }
            let result = Populator.populate(first, size, system)
            guard result >= 0 else { return result }
            tally.count(first, size, stride: pages.byteCount, system)
            return 0
        }
        switch result {
        case 0: _ = population.progress?(byteCount, byteCount)
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
    /// Populating all the ordinary pages first would have them copied: 25 times slower, where the
    /// kernel's setting for shared memory does not give hugepages at once.
    ///
    /// - Returns: 0 or -errno.
    private static func populateTransparent(
        _ address: UInt, _ byteCount: Int, _ system: SystemCalls
    ) -> Int32 {
        for offset in stride(from: 0, to: byteCount, by: PageSize.transparent2MiB.byteCount) {
            let seed = populate(address + UInt(offset), PageSize.size4KiB.byteCount, system)
            guard seed >= 0 else { return seed }
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
