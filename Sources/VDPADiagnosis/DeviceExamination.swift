internal import Glibc
internal import HostMemory

/// What sysfs and procfs tell about one device, and about the machine around it.
struct DeviceExamination {
    let machine: Machine
    let path: String
    private let status: NodeStatus?

    init(machine: Machine, path: String) {
        self.machine = machine
        self.path = path
        status = machine.inspect(path)
    }

    private var topology: HostTopology { machine.topology }

    var findings: [Finding] {
        guard let status else { return absence }
        guard status.isCharacterDevice else {
            return [
                .failure(
                    .device, "\(path) is no character device.",
                    remedy: "Remove it where something has left a plain file in a device's place. "
                        + "Otherwise name a device file such as \(machine.devices)/vhost-vdpa-0.")
            ]
        }
        let numbers = "\(status.major):\(status.minor)"
        var findings: [Finding] = []
        guard let folder = topology.resolve("\(machine.sysfs)/dev/char/\(numbers)") else {
            findings.append(
                .warning(
                    .device, "sysfs does not know \(path) (\(numbers)).",
                    remedy: "Mount sysfs where this runs: node, windows and limits stay unknown."))
            return findings + [permissions(status)] + [machine.holder(of: path)]
        }
        guard folder.split(separator: "/").last?.hasPrefix("vhost-vdpa-") == true else {
            return [
                .failure(
                    .device, "\(path) (\(numbers)) is no vhost-vdpa device: it is \(folder).",
                    remedy: "Name a device file such as \(machine.devices)/vhost-vdpa-0.")
            ]
        }
        let facts = topology.facts(ofCharacterDevice: status.major, status.minor)
        findings.append(.ok(.device, "\(path) (\(numbers))"))
        findings.append(permissions(status))
        findings.append(machine.holder(of: path))
        findings.append(parent(facts))
        findings += machine.iommuFindings(facts, folder: folder)
        findings.append(windows(facts))
        findings.append(
            .ok(.node, facts.numaNode.map { "the device is on node \($0)" } ?? "no NUMA node"))
        findings.append(entries(facts))
        findings.append(machine.lockedMemoryFinding(pins: facts.pins))
        findings += machine.hugepageFindings(deviceNode: facts.numaNode)
        return findings
    }

    /// Where the path names nothing: the other devices, or why there is none.
    private var absence: [Finding] {
        let others = machine.devicePaths
        guard !others.isEmpty else { return machine.noDeviceFindings() }
        return [
            .failure(
                .device, "There is no \(path).",
                remedy: "Name one of: \(others.joined(separator: ", ")).")
        ]
    }

    private func permissions(_ status: NodeStatus) -> Finding {
        let user = geteuid()
        let mode = "mode 0" + String(status.mode, radix: 8)
        let owners = "of user \(status.user), group \(status.group), \(mode)"
        guard !status.isAllowed else {
            return .ok(.permissions, "may be opened for reading and writing (\(owners))")
        }
        // Root is refused by a container's rules only.
        let now =
            user == 0
            ? "Hand the device file into the container with rw permission. "
            : "For now: sudo chown \(user) \(path). "
        return .failure(
            .permissions, "This process may not open it for reading and writing (\(owners)).",
            remedy: now + "For good, a udev rule in /etc/udev/rules.d/60-vhost-vdpa.rules: "
                + "KERNEL==\"vhost-vdpa-*\", GROUP=\"kvm\", MODE=\"0660\", and the user in that "
                + "group.")
    }

    private func parent(_ facts: DeviceFacts) -> Finding {
        switch facts.parent {
        case .simulator(usesVirtualAddresses: false):
            return .ok(.parent, "vdpa_sim, a device without hardware; pages are pinned")
        case .simulator(usesVirtualAddresses: true):
            return .ok(
                .parent, "vdpa_sim, a device without hardware; maps shared memory by address")
        case .bus:
            return .ok(.parent, "a device on a bus, not VDUSE; pages are pinned")
        case .vduse:
            return .warning(
                .parent,
                "VDUSE, a daemon in user space: it maps shared, file-backed memory only, "
                    + "and today's daemons drop all their mappings at every message.",
                remedy: "Map everything before queues are enabled, and nothing while they run.")
        }
    }

    private func windows(_ facts: DeviceFacts) -> Finding {
        let list = facts.reservedRegions.map { window in
            let first = String(window.first, radix: 16)
            return "[0x\(first), 0x\(String(window.last, radix: 16))] \(window.kind)"
        }
        return .ok(
            .windows,
            list.isEmpty
                ? "the IOMMU group reserves no window" : "reserved: " + list.joined(separator: ", ")
        )
    }

    private func entries(_ facts: DeviceFacts) -> Finding {
        guard let limit = facts.entryLimit else {
            return .ok(.entries, "the modules name no limit of entries")
        }
        let large = ByteCount(UInt64(limit) << 30)
        let huge = ByteCount(UInt64(limit) << 21)
        let small = ByteCount(UInt64(limit) << 12)
        return .ok(
            .entries,
            "\(limit) entries in each address space: at least \(large) in pages of 1 GiB, "
                + "\(huge) in pages of 2 MiB, \(small) in pages of 4 KiB")
    }
}

extension DeviceFacts {
    /// Whether pages are pinned, and count against the limit on locked memory.
    var pins: Bool {
        switch parent {
        case .vduse, .simulator(usesVirtualAddresses: true): false
        case .bus, .simulator(usesVirtualAddresses: false): true
        }
    }
}
