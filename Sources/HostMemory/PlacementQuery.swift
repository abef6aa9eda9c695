extension NodeBinding {
    /// The placement that a count of pages by node amounts to.
    ///
    /// - Parameter pageCount: all pages that were asked about.
    /// - Throws: `misplaced` if a page lies elsewhere than required, `systemCallFailed`, with
    ///   ENOENT or EFAULT for a page that is not there.
    func verifiedPlacement(
        _ count: NodeCount, pageCount: Int, _ topology: HostTopology
    ) throws(HostMemoryError) -> NodePlacement {
        guard count.refusal >= 0 else {
            guard !count.isOfPage else { throw HostMemoryError(.queryNodes, count.refusal) }
            return try placementWithoutQuery(count.refusal, pageCount: pageCount, topology)
        }
        let placement = NodePlacement(pagesByNode: count.pagesByNode, wantedNodes: nodes)
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
