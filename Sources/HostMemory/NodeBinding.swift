internal import CNUMA

/// A node policy with its nodes resolved: what mbind(2) is told.
struct NodeBinding: Hashable, Sendable {
    enum Mode: Hashable, Sendable { case any, required, preferred, interleaved }

    /// Nodes are numbered below this: the kernel's largest MAX_NUMNODES.
    static let nodeLimit = 1024

    let mode: Mode
    let nodes: [Int]

    /// Resolves a policy on this machine.
    ///
    /// - Parameter deviceNode: what `.device` stands for, nil for a device without a node.
    /// - Throws: `noSuchNode`, `invalidRequest` for an empty set.
    init(
        _ policy: NodePolicy, deviceNode: Int?, _ topology: HostTopology, _ system: SystemCalls
    ) throws(HostMemoryError) {
        let existing = topology.nodes
        switch policy {
        case .any: (mode, nodes) = (.any, [])
        case .required(let node): (mode, nodes) = (.required, [node])
        case .preferred(let node): (mode, nodes) = (.preferred, [node])
        case .interleaved(let set):
            (mode, nodes) = (.interleaved, Array(Set(set)).sorted())
            if set.isEmpty { throw HostMemoryError(.invalidRequest) }
        // A wish, not a demand: a node that has processors or devices but no memory is skipped.
        case .device:
            let known = deviceNode.flatMap { existing.contains($0) ? $0 : nil }
            (mode, nodes) = known.map { (.preferred, [$0]) } ?? (.any, [])
        case .callingThread:
            let result = system.currentNode()
            guard result >= 0 else { throw HostMemoryError(.currentNode, result) }
            let node = Int(result)
            (mode, nodes) = existing.contains(node) ? (.preferred, [node]) : (.any, [])
        }
        guard nodes.allSatisfy({ existing.contains($0) && $0 < NodeBinding.nodeLimit }) else {
            var error = HostMemoryError(.noSuchNode)
            error.nodes = nodes.filter { !existing.contains($0) }
            throw error
        }
    }

    /// mbind(2), before the first page is touched. The policy belongs to the file's pages (see
    /// mm/shmem.c, shmem_set_policy), so it also holds for another process that maps them.
    ///
    /// The thread's own policy is never changed, so there is nothing to restore.
    func apply(
        to mapping: borrowing MemoryMapping, _ topology: HostTopology, _ system: SystemCalls
    ) throws(HostMemoryError) {
        let kernelMode: Int32
        switch mode {
        case .any: return
        case .required: kernelMode = Int32(MPOL_BIND)
        case .preferred: kernelMode = Int32(MPOL_PREFERRED)
        case .interleaved: kernelMode = Int32(MPOL_INTERLEAVE)
        }
        let result = system.bind(
            mapping.address, byteCount: mapping.byteCount, mode: kernelMode, nodes: nodes)
        guard result < 0 else { return }
        if NodeBinding.isUnavailable(result), topology.nodes == nodes { return }
        // set_mempolicy(2), EINVAL: none of the nodes is allowed by the cpuset.
        let allowed = topology.allowedNodes
        if result == -EINVAL, !nodes.contains(where: allowed.contains) {
            var error = HostMemoryError(.noSuchNode)
            error.call = .bind
            error.errorNumber = EINVAL
            error.nodes = nodes
            throw error
        }
        throw HostMemoryError(.bind, result)
    }

    /// Whether the kernel has no NUMA calls, or a sandbox forbids them. Where one node is all
    /// there is, nothing is lost.
    static func isUnavailable(_ result: Int32) -> Bool { result == -ENOSYS || result == -EPERM }
}
