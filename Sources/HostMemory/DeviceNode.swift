internal import Glibc

// The NUMA node of a vhost-vdpa device. Its class device hangs below the vDPA device, which hangs
// below what does the work: a PCI function that knows its node, or nothing for a simulator.
extension HostTopology {
    /// The node of a device by its name: `vhost-vdpa-0` as in /dev, or `vdpa0` as in the vDPA bus.
    ///
    /// - Returns: nil where the device does not exist, has no parent with a node (simulators,
    ///   VDUSE), or the kernel says -1.
    package func node(ofDevice name: String) -> Int? {
        guard !name.isEmpty, name.allSatisfy({ $0.isLetter || $0.isNumber || "-_:".contains($0) })
        else { return nil }
        let bus = "\(sysfs)/bus/vdpa/devices"
        // A character device without a class (6.1) is found only below its vDPA device.
        return node(ofFolder: "\(sysfs)/class/vhost-vdpa/\(name)")
            ?? node(ofFolder: "\(bus)/\(name)")
            ?? firstMatch("\(bus)/*/\(name)").flatMap { node(ofFolder: $0) }
    }

    /// The node of the device behind a character device's numbers, for a descriptor that somebody
    /// else has opened.
    package func node(ofCharacterDevice major: UInt32, _ minor: UInt32) -> Int? {
        node(ofFolder: "\(sysfs)/dev/char/\(major):\(minor)")
    }

    /// Walks from a device's folder up to the first that has a `numa_node`.
    private func node(ofFolder link: String) -> Int? {
        guard let root = resolve(sysfs), var folder = resolve(link) else { return nil }
        while folder.hasPrefix(root + "/") {
            if let node = TextFile.number(in: folder + "/numa_node") {
                return node < 0 ? nil : node
            }
            guard let slash = folder.lastIndex(of: "/") else { return nil }
            folder = String(folder[..<slash])
        }
        return nil
    }

    /// glob(3).
    private func firstMatch(_ pattern: String) -> String? {
        // Safe: glob fills the structure, and globfree gives back what it allocated; the path is
        // copied before.
        var found = unsafe glob_t()
        defer { unsafe globfree(&found) }
        guard unsafe glob(pattern, 0, nil, &found) == 0, unsafe found.gl_pathc > 0,
            let path = unsafe found.gl_pathv[0]
        else { return nil }
        return unsafe String(cString: path)
    }

    /// realpath(3): sysfs names devices by symbolic links.
    package func resolve(_ path: String) -> String? {
        // Safe: with no buffer given, realpath allocates what it returns, and it is freed here
        // after it was copied.
        guard let resolved = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }
}
