// What an operator can do about a refusal, as a command where there is one.
extension HostMemoryError {
    /// The error with the figures of the moment and the command that helps.
    func explained(by topology: HostTopology) -> HostMemoryError {
        var error = self
        switch code {
        case .exhausted:
            guard let pageSize else { break }
            error.freePagesByNode = topology.freePages(of: pageSize)
            error.remedy = error.remedyForExhaustion(of: pageSize, topology)
        case .noSuchNode:
            error.existingNodes = call == .bind ? topology.allowedNodes : topology.nodes
            error.remedy =
                call == .bind
                ? "The process's cpuset leaves the node out: see Mems_allowed_list in "
                    + "/proc/self/status, or let the kernel choose with .any."
                : "Name one of the existing nodes, or let the kernel choose with .any."
        case .pageSizeUnavailable:
            error.remedy =
                pageSize == .size1GiB
                ? "Boot with hugepagesz=1G hugepages=N, or ask for 2 MiB pages."
                : "Ask for other pages, e.g. with the policy .largest."
        case .pageSizeNotObtained where pageSize == .transparent2MiB:
            error.remedy =
                "The kernel found no room for whole 2 MiB pages: "
                + "echo 1 > /proc/sys/vm/compact_memory, or configure hugetlb pages."
        case .systemCallFailed where call == .bind || call == .queryNodes:
            error.remedy = "A sandbox may forbid NUMA calls: grant CAP_SYS_NICE, or use .any."
        default: break
        }
        return error
    }

    private func remedyForExhaustion(of size: PageSize, _ topology: HostTopology) -> String {
        guard size.isHugetlb else {
            if let room = topology.controlGroupRoom, room.byteCount < wantedByteCount {
                return "The control group allows \(room.byteCount) bytes more: raise the limit in "
                    + "\(room.limitFile), or use hugetlb pages, which are not charged to it."
            }
            return "Free memory, ask for less, or let other nodes help with .preferred or .any."
        }
        let commands = (nodes.isEmpty ? [topology.nodes[0]] : nodes).map { node in
            let pool = topology.pool(of: size, onNode: node)
            let share =
                nodes.count > 1 ? (wantedPages + nodes.count - 1) / nodes.count : wantedPages
            let needed = (pool?.total ?? 0) + max(0, share - (pool?.free ?? 0))
            return "echo \(needed) > \(topology.poolFolder(of: size, onNode: node))/nr_hugepages"
        }
        return "Enlarge the pool as root: " + commands.joined(separator: "; ")
    }
}
