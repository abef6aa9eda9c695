/// What sysfs tells about a vhost-vdpa device and its parent.
///
/// Found by the character device's numbers (`/sys/dev/char/MAJOR:MINOR`), because Linux 6.1 has no
/// device class for vhost-vdpa, and a descriptor that somebody else opened has no name.
package struct DeviceFacts: Hashable, Sendable {
    /// What does the work below the vDPA device.
    package enum Parent: Hashable, Sendable {
        /// vdpa_sim: a device without hardware. From Linux 6.4 on it may map by virtual address.
        case simulator(usesVirtualAddresses: Bool)
        /// A user-space daemon behind /dev/vduse: maps by virtual address.
        case vduse
        /// Hardware, or what looks like it: pages are pinned.
        case bus
    }

    package let parent: Parent
    package let numaNode: Int?
    /// Lines of the IOMMU group's `reserved_regions` that must not be used: first, last, kind.
    package let reservedRegions: [ReservedRegion]
    /// The smaller of the modules' `max_iotlb_entries`; nil where no module has the limit.
    package let entryLimit: Int?

    package struct ReservedRegion: Hashable, Sendable {
        package let first: UInt64
        package let last: UInt64
        package let kind: String
    }
}

extension HostTopology {
    /// The facts about the character device with these numbers.
    ///
    /// Reads sysfs only; what is missing there (a sandbox) is answered with the cautious default:
    /// a parent on a bus, no node, no window, no limit.
    package func facts(ofCharacterDevice major: UInt32, _ minor: UInt32) -> DeviceFacts {
        let folder = resolve("\(sysfs)/dev/char/\(major):\(minor)") ?? ""
        let parent = parentKind(folder)
        var limits = [
            TextFile.number(in: "\(sysfs)/module/vhost_vdpa/parameters/max_iotlb_entries")
        ]
        if case .simulator = parent {
            limits.append(
                TextFile.number(in: "\(sysfs)/module/vdpa_sim/parameters/max_iotlb_entries"))
        }
        return DeviceFacts(
            parent: parent, numaNode: node(ofCharacterDevice: major, minor),
            reservedRegions: reservedRegions(above: folder),
            entryLimit: limits.compactMap { $0 }.filter { $0 > 0 }.min())
    }

    private func parentKind(_ folder: String) -> DeviceFacts.Parent {
        // .../PARENT/VDPA-DEVICE/vhost-vdpa-N: vdpa_sim's device has no parent of its own.
        let root = resolve(sysfs) ?? sysfs
        let steps = folder.dropFirst(root.count).split(separator: "/")
        if steps.contains("vduse") { return .vduse }
        if steps.count == 3, steps.first == "devices" {
            let parameter = "\(sysfs)/module/vdpa_sim/parameters/use_va"
            return .simulator(usesVirtualAddresses: TextFile.lines(of: parameter)?.first == "Y")
        }
        return .bus
    }

    /// The windows of the IOMMU group of the first device above `folder` that has one.
    private func reservedRegions(above folder: String) -> [DeviceFacts.ReservedRegion] {
        let root = resolve(sysfs) ?? sysfs
        var folder = folder
        while folder.hasPrefix(root + "/") {
            let path = folder + "/iommu_group/reserved_regions"
            if let lines = TextFile.lines(of: path) {
                return lines.compactMap(DeviceFacts.ReservedRegion.init(line:))
            }
            guard let slash = folder.lastIndex(of: "/") else { break }
            folder = String(folder[..<slash])
        }
        return []
    }
}

extension DeviceFacts.ReservedRegion {
    /// A line such as `0x00000000fee00000 0x00000000feefffff msi` (drivers/iommu/iommu.c,
    /// `iommu_group_show_resv_regions`). `direct-relaxable` is usable, so it is left out.
    init?(line: Substring) {
        let words = line.split(separator: " ")
        guard words.count == 3, words[2] != "direct-relaxable",
            let first = UInt64(words[0].dropFirst(2), radix: 16),
            let last = UInt64(words[1].dropFirst(2), radix: 16), first <= last
        else { return nil }
        self.init(first: first, last: last, kind: String(words[2]))
    }
}
