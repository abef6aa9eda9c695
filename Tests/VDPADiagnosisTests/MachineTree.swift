import HostMemory
import TestSupport
import VDPADiagnosis
import VDPAMemory
import VDPASimulator

/// What a machine made for a test is like; by default everything is as it should be.
struct MachineSetup: Sendable {
    enum Parent: Sendable { case function, vduse, simulator }

    var release = "6.12.0-1-amd64"
    var pageByteCount = 4096
    var isModuleLoaded = true
    /// What the kernel's modules.dep lists; nil for no such file.
    var modules: [String]? = ["kernel/drivers/vhost/vhost_vdpa.ko.xz"]
    /// vDPA devices on the bus by name, with the driver that they are bound to.
    var bus: [String: String?] = ["vdpa0": "vhost_vdpa"]
    /// The numbers of the device files in /dev.
    var devices = [0]
    var parent = Parent.function
    var usesVirtualAddresses = "N"
    /// Devices in the IOMMU group; 0 for no group.
    var groupMembers = 1
    var isKnownToSysfs = true
    /// Whether the character device is something else, whatever it is called.
    var isSomethingElse = false
    var isCharacterDevice = true
    var isAllowed = true
    var entryLimit: Int? = 2048
    /// The soft and the hard limit on locked memory, as /proc/self/limits says; nil for no file.
    var memlock: (String, String)? = ("unlimited", "unlimited")
    var pinnedKibibytes = 0
    /// Free pages of 2 MiB and 1 GiB on the nodes 0 and 1; nil where the kernel has no such pages.
    var huge: [Int]? = [96, 64]
    var giant: [Int]? = [0, 2]
    /// Kibibytes free on each node.
    var freeMemory = 4_000_000
    /// The process that has the first device open.
    var holder: Int?
    var hasHiddenProcess = false
}

/// Folders that stand for sysfs, procfs and /dev.
struct MachineTree {
    let tree: FileTree
    let setup: MachineSetup

    init(_ setup: MachineSetup = MachineSetup()) throws {
        self.setup = setup
        tree = try FileTree()
        try tree.write("proc/sys/kernel/osrelease", setup.release + "\n")
        if let modules = setup.modules {
            try tree.write(
                "lib/modules/\(setup.release)/modules.dep",
                modules.map { "\($0): kernel/drivers/vhost/vhost_vdpa.ko\n" }.joined())
        }
        try tree.write("proc/meminfo", "MemTotal:       8388608 kB\n")
        try tree.write("proc/self/status", "VmPin:\t    \(setup.pinnedKibibytes) kB\n")
        if let (soft, hard) = setup.memlock {
            try tree.write(
                "proc/self/limits",
                """
                Limit                     Soft Limit           Hard Limit           Units
                Max processes             31000                31000                processes
                Max locked memory         \(soft)     \(hard)     bytes

                """)
        }
        if setup.isModuleLoaded {
            try tree.write("sys/module/vhost_vdpa/initstate", "live\n")
            if let limit = setup.entryLimit {
                try tree.write(
                    "sys/module/vhost_vdpa/parameters/max_iotlb_entries", "\(limit)\n")
            }
        }
        try writeBus()
        try writeNodes()
        for number in setup.devices { try writeDevice(number) }
        try writeProcesses()
    }

    private func writeBus() throws {
        for (name, driver) in setup.bus {
            try tree.makeFolder("sys/bus/vdpa/devices/\(name)")
            guard let driver else { continue }
            try tree.makeFolder("sys/bus/vdpa/drivers/\(driver)")
            try tree.link(
                "sys/bus/vdpa/devices/\(name)/driver", to: "sys/bus/vdpa/drivers/\(driver)")
        }
    }

    private func writeNodes() throws {
        let folder = "sys/devices/system/node"
        try tree.write("\(folder)/has_memory", "0-1\n")
        try tree.write("\(folder)/online", "0-1\n")
        for node in 0...1 {
            try tree.write(
                "\(folder)/node\(node)/meminfo",
                """
                Node \(node) MemTotal:       4194304 kB
                Node \(node) MemFree:        \(setup.freeMemory) kB

                """)
            for (pages, kibibytes) in [(setup.huge, 2048), (setup.giant, 1_048_576)] {
                guard let pages else { continue }
                let pool = "\(folder)/node\(node)/hugepages/hugepages-\(kibibytes)kB"
                try tree.write("\(pool)/nr_hugepages", "\(pages[node] + 4)\n")
                try tree.write("\(pool)/free_hugepages", "\(pages[node])\n")
            }
        }
    }

    private func writeDevice(_ number: Int) throws {
        try tree.write("dev/vhost-vdpa-\(number)", "")
        guard setup.isKnownToSysfs else { return }
        let parent: String
        switch setup.parent {
        case .function:
            parent = "sys/devices/pci0000:80/0000:80:0\(number + 1).0"
            try tree.write("\(parent)/numa_node", "1\n")
        case .vduse: parent = "sys/devices/virtual/vduse/disk0"
        case .simulator:
            parent = "sys/devices"
            try tree.write(
                "sys/module/vdpa_sim/parameters/use_va", setup.usesVirtualAddresses + "\n")
        }
        let name = setup.isSomethingElse ? "tape" : "vhost-vdpa"
        let device = "\(parent)/vdpa\(number)/\(name)-\(number)"
        try tree.makeFolder(device)
        try tree.link("sys/dev/char/508:\(number)", to: device)
        guard setup.groupMembers > 0, setup.parent == .function else { return }
        let group = "sys/kernel/iommu_groups/\(5 + number)"
        try tree.write("\(group)/type", "DMA-FQ\n")
        try tree.write(
            "\(group)/reserved_regions", "0x00000000fee00000 0x00000000feefffff msi\n")
        for member in 0..<setup.groupMembers {
            try tree.makeFolder("\(group)/devices/0000:80:0\(member + 1).0")
        }
        try tree.link("\(parent)/iommu_group", to: group)
    }

    private func writeProcesses() throws {
        try tree.makeFolder("proc/17/fd")
        if let holder = setup.holder {
            try tree.write("proc/\(holder)/comm", "qemu-system-x86\n")
            try tree.link("proc/\(holder)/fd/9", to: "dev/vhost-vdpa-0")
        }
        // A process whose descriptors cannot be listed: it has no such folder at all.
        if setup.hasHiddenProcess { try tree.write("proc/99/comm", "secret\n") }
    }

    /// A machine over the folders.
    ///
    /// - Parameter simulator: what answers when the device is opened.
    func machine(_ simulator: SimulatedDevice = SimulatedDevice()) -> Machine {
        let setup = setup
        let folder = tree.path + "/dev/"
        return Machine(
            topology: HostTopology(sysfs: tree.path + "/sys", procfs: tree.path + "/proc"),
            devices: tree.path + "/dev", modules: tree.path + "/lib/modules",
            pageByteCount: setup.pageByteCount,
            inspect: { path in
                guard path.hasPrefix(folder + "vhost-vdpa-"),
                    let number = UInt32(path.dropFirst(folder.count + 11)),
                    setup.devices.contains(Int(number))
                else { return nil }
                return NodeStatus(
                    major: 508, minor: number, isCharacterDevice: setup.isCharacterDevice,
                    isAllowed: setup.isAllowed)
            },
            open: { _ throws(DMAError) in try VDPADevice(simulator) })
    }
}
