internal import Foundation

/// A folder of files that stands in for sysfs or procfs; removed at the end of its life.
package final class FileTree {
    package let path: String

    package init() throws {
        path = NSTemporaryDirectory() + "/vdpa-memory-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    /// Writes a file and the folders above it.
    package func write(_ file: String, _ text: String) throws {
        try text.write(toFile: prepared(file), atomically: false, encoding: .utf8)
    }

    package func makeFolder(_ folder: String) throws { _ = try prepared(folder + "/.") }

    /// Makes a symbolic link to another place in the tree.
    package func link(_ link: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(
            atPath: prepared(link), withDestinationPath: path + "/" + target)
    }

    private func prepared(_ relative: String) throws -> String {
        let full = path + "/" + relative
        try FileManager.default.createDirectory(
            atPath: (full as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true)
        return full
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

extension FileTree {
    /// A sysfs with nodes of so many free 2 MiB pages each and plenty of ordinary memory: what a
    /// look before an allocation finds, whatever the machine really has.
    package static func sysfs(freeHugepages: [Int]) throws -> FileTree {
        let tree = try FileTree()
        let nodes = "devices/system/node"
        try tree.write("\(nodes)/has_memory", "0-\(freeHugepages.count - 1)\n")
        try tree.write("\(nodes)/online", "0-\(freeHugepages.count - 1)\n")
        for (node, free) in freeHugepages.enumerated() {
            try tree.writePool("\(nodes)/node\(node)", free: free)
            try tree.write(
                "\(nodes)/node\(node)/meminfo",
                """
                Node \(node) MemTotal:       4194304 kB
                Node \(node) MemFree:        4000000 kB
                Node \(node) Active(file):     20000 kB
                Node \(node) Inactive(file):   30000 kB
                Node \(node) SReclaimable:      4000 kB

                """)
        }
        try tree.writePool("kernel/mm", free: freeHugepages.reduce(0, +))
        return tree
    }

    private func writePool(_ folder: String, free: Int) throws {
        let pool = "\(folder)/hugepages/hugepages-2048kB"
        try write("\(pool)/nr_hugepages", "\(free)\n")
        try write("\(pool)/free_hugepages", "\(free)\n")
        try write("\(pool)/surplus_hugepages", "0\n")
        if folder == "kernel/mm" { try write("\(pool)/nr_overcommit_hugepages", "0\n") }
    }
}
