internal import CNUMA

extension NodeBinding {
    /// Asks move_pages(2) for the node of every page.
    ///
    /// - Parameter pages: the size obtained; one question a page.
    /// - Throws: `misplaced` if a page lies elsewhere than required, `systemCallFailed`, with
    ///   EFAULT for a page that is not there.
    /// - Complexity: O(pages); about 40 ms for 1 GiB in pages of 4 KiB.
    func verifiedPlacement(
        of mapping: borrowing MemoryMapping, pages: PageSize, _ topology: HostTopology,
        _ system: SystemCalls
    ) throws(HostMemoryError) -> NodePlacement {
        let count = mapping.byteCount / pages.byteCount
        var pagesByNode: [Int: Int] = [:]
        var answers = [Int32](repeating: 0, count: min(count, Int(CNUMA_QUERY_PAGES)))
        var asked = 0
        while asked < count {
            let step = min(answers.count, count - asked)
            let result = system.queryNodes(
                mapping.address + UInt(asked * pages.byteCount), stride: pages.byteCount,
                count: step, into: &answers)
            guard result >= 0 else {
                return try placementWithoutQuery(result, pageCount: count, topology)
            }
            // Pages come in long runs on one node: a run costs one look into the dictionary.
            var run = 0
            for index in 0..<step {
                guard answers[index] >= 0 else {
                    throw HostMemoryError(.queryNodes, answers[index])
                }
                run += 1
                if index + 1 == step || answers[index + 1] != answers[index] {
                    pagesByNode[Int(answers[index]), default: 0] += run
                    run = 0
                }
            }
            asked += step
        }
        let placement = NodePlacement(pagesByNode: pagesByNode, wantedNodes: nodes)
        guard mode != .required || placement.spilledPages == 0 else {
            throw HostMemoryError(.misplaced)
        }
        return placement
    }

    /// What is known where the query is not available: everything on a machine of one node,
    /// nothing elsewhere, which only a policy without nodes can live with.
    private func placementWithoutQuery(
        _ result: Int32, pageCount: Int, _ topology: HostTopology
    ) throws(HostMemoryError) -> NodePlacement {
        let existing = topology.nodes
        guard NodeBinding.isUnavailable(result), existing.count == 1 || mode == .any else {
            throw HostMemoryError(.queryNodes, result)
        }
        return existing.count == 1
            ? NodePlacement(pagesByNode: [existing[0]: pageCount], wantedNodes: nodes)
            : NodePlacement(pagesByNode: [:], unverifiedPages: pageCount)
    }
}
