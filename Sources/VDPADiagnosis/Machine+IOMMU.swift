internal import HostMemory

extension Machine {
    /// How the device's addresses are translated.
    ///
    /// - Parameter folder: the device's folder in sysfs, without symbolic links.
    func iommuFindings(_ facts: DeviceFacts, folder: String) -> [Finding] {
        guard facts.parent == .bus else {
            return [.ok(.iommu, "none needed: addresses are translated in software")]
        }
        guard let group = iommuGroup(above: folder) else {
            return [
                .warning(
                    .iommu,
                    "The device is in no IOMMU group: it works only if it translates "
                        + "addresses itself, as mlx5 does.",
                    remedy: "Enable VT-d or AMD-Vi in the firmware, and boot with intel_iommu=on "
                        + "or amd_iommu=on.")
            ]
        }
        let number = group.split(separator: "/").last ?? "?"
        let mode = TextFile.lines(of: group + "/type")?.first ?? "unknown"
        let members = Folder.names(in: group + "/devices") ?? []
        guard members.count <= 1 else {
            return [
                .warning(
                    .iommu,
                    "IOMMU group \(number) (\(mode)) has \(members.count) devices: the "
                        + "kernel gives a domain only to a device that is alone in its group.",
                    remedy: "Move the device to a slot behind a port with ACS.")
            ]
        }
        return [.ok(.iommu, "IOMMU group \(number), mode \(mode)")]
    }

    /// The folder of the group of the first device above that has one.
    private func iommuGroup(above folder: String) -> String? {
        let root = topology.resolve(sysfs) ?? sysfs
        var folder = folder
        while folder.hasPrefix(root + "/") {
            if let group = topology.resolve(folder + "/iommu_group") { return group }
            guard let slash = folder.lastIndex(of: "/") else { return nil }
            folder = String(folder[..<slash])
        }
        return nil
    }
}
