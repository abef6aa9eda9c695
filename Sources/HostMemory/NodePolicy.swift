/// On which NUMA nodes the pages of an allocation lie.
///
/// `NodePlacement` tells afterwards, page by page, where they do lie.
public enum NodePolicy: Hashable, Sendable {
    /// The device's node, preferred: what does not fit there spills to other nodes, and the
    /// placement says so. `any` where the device has no node (a simulator, a machine of one node).
    case device
    /// The kernel decides, by the calling thread's memory policy.
    case any
    /// This node, or an error.
    case required(Int)
    /// This node first; what does not fit there spills to others, and the placement says so.
    case preferred(Int)
    /// The node of the processor that runs the calling thread, preferred.
    case callingThread
    /// Page by page in turn over these nodes.
    case interleaved([Int])
}

extension NodePolicy {
    /// The node of the processor that runs the calling thread; nil where it has no memory of its
    /// own, or the kernel does not say. System calls: getcpu(2), and sysfs is read.
    package static var nodeOfCallingThread: Int? {
        let node = Int(SystemCalls().currentNode())
        return HostTopology().nodes.contains(node) ? node : nil
    }
}
