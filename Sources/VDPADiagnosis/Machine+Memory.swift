internal import HostMemory

/// The limit on locked memory of this process, which its children inherit, and what is used.
struct LockedMemory: Hashable, Sendable {
    /// In bytes; nil for no limit.
    let soft: UInt64?
    /// What the soft limit can be raised to without privilege; nil for no limit.
    let hard: UInt64?
    let pinned: UInt64

    var remaining: UInt64? { soft.map { $0 > pinned ? $0 - pinned : 0 } }

    /// From /proc/self/limits and /proc/self/status.
    init?(procfs: String) {
        let lines = TextFile.lines(of: procfs + "/self/limits") ?? []
        guard let line = lines.first(where: { $0.hasPrefix("Max locked memory") }) else {
            return nil
        }
        let fields = line.dropFirst(17).split(separator: " ")
        guard fields.count >= 2 else { return nil }
        soft = UInt64(fields[0])
        hard = UInt64(fields[1])
        let status = TextFile.lines(of: procfs + "/self/status") ?? []
        pinned = UInt64(
            status.compactMap { TextFile.byteCount(of: "VmPin", in: $0) }.first ?? 0)
    }
}

extension Machine {
    static let memlockRemedy =
        "For this shell and what it starts: sudo prlimit --memlock=unlimited --pid $$. For good: "
        + "LimitMEMLOCK=infinity in the service's unit, or `* - memlock unlimited` in "
        + "/etc/security/limits.conf and a new login."

    func lockedMemoryFinding(pins: Bool) -> Finding {
        guard let limit = LockedMemory(procfs: procfs) else {
            return .warning(
                .memlock, "\(procfs)/self/limits tells no limit on locked memory.",
                remedy: "Mount procfs where this runs.")
        }
        guard let soft = limit.soft, let remaining = limit.remaining else {
            return .ok(.memlock, "locked memory is not limited")
        }
        guard pins else {
            return .ok(.memlock, "\(ByteCount(soft)), which does not count: nothing is pinned")
        }
        let text = "\(ByteCount(soft)) may be locked, \(ByteCount(limit.pinned)) are: "
        if remaining < 2 << 20 {
            return .failure(
                .memlock, text + "not even one extent of 2 MiB can be mapped.",
                remedy: raise(limit))
        }
        let figures = text + "\(ByteCount(remaining)) can be mapped, all devices and address "
        guard remaining < totalMemory else {
            return .ok(.memlock, figures + "spaces together")
        }
        return .warning(.memlock, figures + "spaces together.", remedy: raise(limit))
    }

    private func raise(_ limit: LockedMemory) -> String {
        guard let soft = limit.soft, limit.hard.map({ $0 > soft }) ?? true else {
            return Machine.memlockRemedy
        }
        let hard = limit.hard.map { "\($0 >> 10)" } ?? "unlimited"
        return "ulimit -l \(hard), or the domain's option raisesLockedMemoryLimit. "
            + Machine.memlockRemedy
    }

    /// MemTotal of the machine in bytes; 0 where it is not known.
    private var totalMemory: UInt64 {
        let lines = TextFile.lines(of: procfs + "/meminfo") ?? []
        return UInt64(lines.compactMap { TextFile.byteCount(of: "MemTotal", in: $0) }.first ?? 0)
    }

    /// The hugetlb pools by size and node.
    func hugepageFindings(deviceNode: Int?) -> [Finding] {
        let nodes = topology.nodes
        let sizes = [PageSize.size1GiB, .size2MiB]
        let wanted = deviceNode.map { [$0] } ?? nodes
        let isShort = !sizes.contains { size in
            wanted.contains { topology.pool(of: size, onNode: $0)?.free ?? 0 > 0 }
        }
        return sizes.map { size in
            let pools = nodes.compactMap { node in
                topology.pool(of: size, onNode: node).map { (node, $0) }
            }
            guard !pools.isEmpty else {
                return .ok(.hugepages, "the kernel has no pages of \(size)")
            }
            let figures = pools.map { "node \($0.0): \($0.1.free) of \($0.1.total) free" }
            let text = "pages of \(size): " + figures.joined(separator: ", ")
            guard isShort, size == .size2MiB else { return .ok(.hugepages, text) }
            let node = wanted.first ?? 0
            let folder = topology.poolFolder(of: size, onNode: node)
            let total = topology.pool(of: size, onNode: node)?.total ?? 0
            return .warning(
                .hugepages, text + "; where the device is there is no large page to be had.",
                remedy: "echo \(total + 512) > \(folder)/nr_hugepages (1 GiB more, as root).")
        }
    }
}
