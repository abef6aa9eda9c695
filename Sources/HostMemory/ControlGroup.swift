/// What a control group leaves of its memory limit: beyond it the kernel ends processes of the
/// group, rather than refusing a page.
package struct ControlGroupRoom: Hashable, Sendable {
    /// The bytes that may still be charged, clean caches given up.
    package let byteCount: Int
    /// The file that holds the limit.
    package let limitFile: String
}

extension HostTopology {
    /// The tightest of this process's control groups (cgroups(7)): of the memory limit of its group
    /// and of those above; nil where none has a limit, or the hierarchy cannot be seen.
    ///
    /// hugetlb pages are not charged there.
    package var controlGroupRoom: ControlGroupRoom? {
        let lines = TextFile.lines(of: procfs + "/self/cgroup") ?? []
        return ControlGroupFiles.versions.compactMap { files in
            lines.compactMap { files.path(in: $0) }.first.flatMap { tightest(files, below: $0) }
        }.min { $0.byteCount < $1.byteCount }
    }

    /// A container sees its own group as the root, whatever the path says, so that every group on
    /// the way up is looked at.
    private func tightest(_ files: ControlGroupFiles, below path: Substring) -> ControlGroupRoom? {
        var steps = path.split(separator: "/")
        var tightest: ControlGroupRoom?
        while true {
            let folder = ([sysfs + files.root] + steps.map(String.init)).joined(separator: "/")
            if let room = room(files, folder), room.byteCount < tightest?.byteCount ?? .max {
                tightest = room
            }
            guard !steps.isEmpty else { return tightest }
            steps.removeLast()
        }
    }

    private func room(_ files: ControlGroupFiles, _ folder: String) -> ControlGroupRoom? {
        // No limit is `max`, which is no number, or 2^63 rounded down to whole pages.
        guard let limit = TextFile.number(in: "\(folder)/\(files.limit)"), limit < 1 << 60,
            let usage = TextFile.number(in: "\(folder)/\(files.usage)")
        else { return nil }
        var reclaimable = 0
        for line in TextFile.lines(of: folder + "/memory.stat") ?? [] {
            let words = line.split(separator: " ")
            if words.count == 2, files.caches.contains(words[0]) {
                reclaimable += Int(words[1]) ?? 0
            }
        }
        return ControlGroupRoom(
            byteCount: max(0, limit - max(0, usage - reclaimable)),
            limitFile: "\(folder)/\(files.limit)")
    }
}

/// Where a version of control groups keeps its figures.
private struct ControlGroupFiles {
    let root: String
    /// The field of a line of /proc/self/cgroup (`4:memory:/path`) that names the hierarchy.
    let controller: String
    let limit: String
    let usage: String
    let caches: [Substring]

    static let versions = [
        ControlGroupFiles(
            root: "/fs/cgroup", controller: "", limit: "memory.max", usage: "memory.current",
            caches: ["active_file", "inactive_file"]),
        ControlGroupFiles(
            root: "/fs/cgroup/memory", controller: "memory", limit: "memory.limit_in_bytes",
            usage: "memory.usage_in_bytes", caches: ["total_active_file", "total_inactive_file"]),
    ]

    func path(in line: Substring) -> Substring? {
        let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3,
            fields[1].split(separator: ",").contains(Substring(controller))
                || (controller.isEmpty && fields[1].isEmpty)
        else { return nil }
        return fields[2]
    }
}
