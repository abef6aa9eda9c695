/// The machine's nodes, their memory and their hugepage pools, as sysfs and procfs tell at the
/// time of each call. Nothing is cached: pools change while a program runs.
package struct HostTopology: Hashable, Sendable {
    /// Where sysfs is mounted.
    package let sysfs: String
    /// Where procfs is mounted.
    package let procfs: String

    /// - Parameters: the mount points, which a test may replace by folders of its own.
    package init(sysfs: String = "/sys", procfs: String = "/proc") {
        self.sysfs = sysfs
        self.procfs = procfs
    }

    /// The nodes that have memory, in order; [0] on a kernel without NUMA.
    package var nodes: [Int] {
        for name in ["has_memory", "online"] {
            if let line = TextFile.lines(of: "\(sysfs)/devices/system/node/\(name)")?.first {
                let nodes = TextFile.set(in: line)
                if !nodes.isEmpty { return nodes }
            }
        }
        return [0]
    }

    /// The nodes that have memory and that this process may use: its cpuset, which a container has,
    /// may leave some out (`Mems_allowed_list` of /proc/self/status). What is free elsewhere is of
    /// no use to it.
    package var allowedNodes: [Int] {
        let existing = nodes
        for line in TextFile.lines(of: procfs + "/self/status") ?? []
        where line.hasPrefix("Mems_allowed_list:") {
            let allowed = TextFile.set(in: line.dropFirst(18).drop { $0 == "\t" || $0 == " " })
            return existing.filter { allowed.contains($0) }
        }
        return existing
    }

    /// The pool of one page size on a node, or of the whole machine.
    ///
    /// - Returns: nil if the kernel has no such pages.
    package func pool(of size: PageSize, onNode node: Int? = nil) -> HugepagePool? {
        guard size.isHugetlb else { return nil }
        return HugepagePool.read(
            poolFolder(of: size, onNode: node), pageByteCount: size.byteCount)
    }

    /// The folder that holds a pool's `nr_hugepages`: what an operator writes to.
    package func poolFolder(of size: PageSize, onNode node: Int?) -> String {
        let name = "hugepages/hugepages-\(size.byteCount >> 10)kB"
        let nodeFolder = "\(sysfs)/devices/system/node"
        guard let node, TextFile.lines(of: nodeFolder + "/online") != nil else {
            return "\(sysfs)/kernel/mm/\(name)"
        }
        return "\(nodeFolder)/node\(node)/\(name)"
    }

    /// The pages of a size that an allocation could take on each node: free hugetlb pages, or
    /// what is free and reclaimable of ordinary memory.
    package func freePages(of size: PageSize) -> [Int: Int] {
        var free: [Int: Int] = [:]
        for node in nodes {
            free[node] =
                size.isHugetlb
                ? pool(of: size, onNode: node)?.free ?? 0
                : availableByteCount(onNode: node) / size.byteCount
        }
        return free
    }

    /// The bytes that can be had on a node without driving it out of memory: free pages and clean
    /// caches, less what the kernel keeps for itself.
    package func availableByteCount(onNode node: Int) -> Int {
        let perNode = TextFile.lines(of: "\(sysfs)/devices/system/node/node\(node)/meminfo")
        guard let lines = perNode ?? TextFile.lines(of: procfs + "/meminfo") else { return 0 }
        func figure(_ key: String) -> Int {
            for line in lines {
                if let bytes = TextFile.byteCount(of: key, in: line) { return bytes }
            }
            return 0
        }
        // An ordinary page that a policy binds to a full node wakes the OOM killer rather than
        // failing, so a margin is kept: 2 % of the node, more than the kernel's watermarks.
        let available =
            figure("MemFree") + figure("Active(file)") + figure("Inactive(file)")
            + figure("SReclaimable")
        return max(0, available - figure("MemTotal") / 50)
    }
}
