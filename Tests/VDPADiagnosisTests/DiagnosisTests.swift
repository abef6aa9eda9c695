import Foundation
import TestSupport
import Testing
import VDPADiagnosis
import VDPAMemory
import VDPASimulator

/// One thing that is wrong, and what must be said about it.
struct Ailment: Sendable, CustomTestStringConvertible {
    let name: String
    let topic: String
    let status: Finding.Status
    /// What the text and the remedy must say.
    let text: String
    let remedy: String
    let setup: MachineSetup

    init(
        _ name: String, _ topic: String, _ status: Finding.Status, _ text: String, _ remedy: String,
        _ change: (inout MachineSetup) -> Void
    ) {
        self.name = name
        self.topic = topic
        self.status = status
        self.text = text
        self.remedy = remedy
        var setup = MachineSetup()
        change(&setup)
        self.setup = setup
    }

    var testDescription: String { name }

    static let all =
        [
            Ailment(
                "no kernel version", "kernel", .warning, "names no version", "5.19",
                { $0.release = "unknown" }),
            Ailment(
                "an old kernel", "kernel", .failure, "5.18.0-1", "Use Linux 5.19 or later.",
                { $0.release = "5.18.0-1" }),
            Ailment(
                "no SUSPEND", "kernel", .warning, "no SUSPEND", "Linux 6.0",
                { $0.release = "5.19.17" }),
            Ailment(
                "no RESUME", "kernel", .warning, "no RESUME", "Linux 6.3",
                { $0.release = "6.1.0-18-amd64" }),
            Ailment(
                "no IOTLB_PERSIST", "kernel", .warning, "IOTLB_PERSIST", "remap()",
                { $0.release = "6.6.1" }),
            Ailment(
                "large pages", "pages", .failure, "64 KiB", "pages of 4 KiB",
                { $0.pageByteCount = 65_536 }),
            Ailment(
                "module not loaded", "module", .failure, "not loaded", "modprobe vhost_vdpa",
                { setup in (setup.isModuleLoaded, setup.devices) = (false, []) }),
            Ailment(
                "no list of modules", "module", .failure, "lists no modules", "container",
                { setup in
                    (setup.isModuleLoaded, setup.devices, setup.modules) = (false, [], nil)
                }),
            Ailment(
                "a kernel without the module", "module", .failure, "was built without the module",
                "CONFIG_VHOST_VDPA",
                { setup in
                    (setup.isModuleLoaded, setup.devices) = (false, [])
                    setup.modules = ["kernel/drivers/vhost/vhost.ko.xz"]
                }),
            Ailment(
                "a device that the module will bind", "module", .failure, "not loaded", "modprobe",
                { setup in
                    (setup.isModuleLoaded, setup.devices) = (false, [])
                    setup.bus = ["vdpa0": nil]
                }),
            Ailment(
                "bound to another driver", "device", .failure, "bound to virtio_vdpa",
                "echo vdpa0 > ",
                { setup in (setup.bus, setup.devices) = (["vdpa0": "virtio_vdpa"], []) }),
            Ailment(
                "bound to no driver", "device", .failure, "bound to no driver",
                "/bus/vdpa/drivers/vhost_vdpa/bind",
                { setup in (setup.bus, setup.devices) = (["vdpa0": nil], []) }),
            Ailment(
                "no vDPA device", "device", .failure, "no vDPA device", "vdpa dev add",
                { setup in (setup.bus, setup.devices) = ([:], []) }),
            Ailment(
                "no device file", "device", .failure, "has no vhost-vdpa-N", "udev",
                { $0.devices = [] }),
            Ailment(
                "no character device", "device", .failure, "no character device", "vhost-vdpa-0",
                { $0.isCharacterDevice = false }),
            Ailment(
                "another device", "device", .failure, "is no vhost-vdpa device", "vhost-vdpa-0",
                { $0.isSomethingElse = true }),
            Ailment(
                "not in sysfs", "device", .warning, "sysfs does not know", "Mount sysfs",
                { $0.isKnownToSysfs = false }),
        ] + more

    private static let more = [
        Ailment(
            "no permission", "permissions", .failure, "mode 0600", "udev rule",
            { $0.isAllowed = false }),
        Ailment(
            "held by a process", "holder", .failure, "4711 (qemu-system-x86)", "adopted",
            { $0.holder = 4711 }),
        Ailment(
            "VDUSE", "parent", .warning, "VDUSE", "before queues are enabled",
            { $0.parent = .vduse }),
        Ailment(
            "no IOMMU group", "iommu", .warning, "no IOMMU group", "intel_iommu=on",
            { $0.groupMembers = 0 }),
        Ailment(
            "a shared IOMMU group", "iommu", .warning, "has 2 devices", "ACS",
            { $0.groupMembers = 2 }),
        Ailment(
            "unknown memlock", "memlock", .warning, "no limit on locked", "Mount procfs",
            { $0.memlock = nil }),
        Ailment(
            "no memlock left", "memlock", .failure, "not even one extent",
            "sudo prlimit --memlock=unlimited --pid $$",
            { setup in (setup.memlock, setup.pinnedKibibytes) = (("8388608", "8388608"), 7000) }),
        Ailment(
            "little memlock", "memlock", .warning, "8 MiB can be mapped", "ulimit -l 65536,",
            { $0.memlock = ("8388608", "67108864") }),
        Ailment(
            "memlock that can be raised", "memlock", .warning, "8 MiB", "ulimit -l unlimited,",
            { $0.memlock = ("8388608", "unlimited") }),
        Ailment(
            "no hugepages", "hugepages", .warning, "no large page",
            "hugepages-2048kB/nr_hugepages",
            { setup in (setup.huge, setup.giant) = ([96, 0], [1, 0]) }),
    ]
}

@Suite("What the doctor finds")
struct DiagnosisTests {
    /// The folders last for as long as the look at them.
    private func diagnoses(
        _ setup: MachineSetup = MachineSetup(), _ simulator: SimulatedDevice = SimulatedDevice(),
        opening: Bool = false
    ) throws -> [Diagnosis] {
        let tree = try MachineTree(setup)
        return withExtendedLifetime(tree) { tree.machine(simulator).diagnose(opening: opening) }
    }

    @Test func `a machine where all is well has no remedy`() throws {
        let tree = try MachineTree()
        let diagnoses = tree.machine().diagnose(opening: true)
        let diagnosis = try #require(diagnoses.first)
        #expect(diagnoses.count == 1 && diagnosis.isReady)
        #expect(diagnosis.device == tree.tree.path + "/dev/vhost-vdpa-0")
        // The simulator is a kernel of 6.1 and all: only what is known of it may be wrong.
        #expect(diagnosis.findings.filter { $0.remedy != nil }.map(\.text) == [])
        let topics = [
            "kernel", "device", "permissions", "holder", "parent", "iommu", "windows", "node",
            "entries", "memlock", "hugepages", "open", "features", "range", "groups",
        ]
        #expect(Set(diagnosis.findings.map(\.topic)) == Set(topics))
        func text(_ topic: String) -> String {
            diagnosis.findings.filter { $0.topic == topic }.map(\.text).joined(separator: "\n")
        }
        #expect(text("iommu") == "IOMMU group 5, mode DMA-FQ")
        #expect(text("windows") == "reserved: [0xfee00000, 0xfeefffff] msi")
        #expect(text("node") == "the device is on node 1")
        #expect(text("entries").hasPrefix("2048 entries in each address space: at least 2 TiB"))
        #expect(text("hugepages").contains("pages of 2 MiB: node 0: 96 of 100 free, node 1: 64"))
        #expect(text("features").contains("IOTLB_BATCH"))
        #expect(text("range") == "IOVA range [0x0, 0xffffffffffffffff]")
        #expect(text("groups") == "3 queues, 2 groups, 2 address spaces")
    }

    @Test(arguments: Ailment.all)
    func `what is wrong is named with its remedy, and nothing else is`(ailment: Ailment) throws {
        let diagnosis = try #require(diagnoses(ailment.setup).first)
        let found = diagnosis.findings.filter { finding in
            finding.topic == ailment.topic && finding.text.contains(ailment.text)
        }
        let finding = try #require(found.first, "\(diagnosis.findings)")
        #expect(found.count == 1 && finding.status == ailment.status)
        #expect(finding.remedy?.contains(ailment.remedy) == true, "\(finding)")
        #expect(diagnosis.isReady == (ailment.status == .warning))
        let others = diagnosis.findings.filter { $0.remedy != nil && $0 != finding }
        #expect(others.allSatisfy { $0.topic == "kernel" }, "\(others)")
    }

    @Test func `a path that names nothing is answered with the devices that there are`() throws {
        let tree = try MachineTree()
        let diagnosis = try #require(tree.machine().diagnose(device: "vhost-vdpa-7").first)
        #expect(!diagnosis.isReady && diagnosis.device?.hasSuffix("/dev/vhost-vdpa-7") == true)
        let last = try #require(diagnosis.findings.last)
        #expect(last.remedy == "Name one of: \(tree.tree.path)/dev/vhost-vdpa-0.")
    }

    @Test func `every device has its own diagnosis, in the order of their numbers`() throws {
        var setup = MachineSetup()
        setup.devices = [10, 2]
        let found = try diagnoses(setup)
        #expect(found.compactMap(\.device?.last) == ["2", "0"])
    }

    @Test func `what may not be looked into is counted, not passed over`() throws {
        var setup = MachineSetup()
        setup.hasHiddenProcess = true
        let diagnosis = try #require(diagnoses(setup).first)
        let holder = try #require(diagnosis.findings.first { $0.topic == "holder" })
        #expect(holder.status == .ok && holder.text.contains("(1 may not: run as root)"))
    }

    @Test(arguments: [("Y", MachineSetup.Parent.simulator), ("N", .vduse)])
    func `where nothing is pinned the limit does not count`(
        usesVirtualAddresses: String, parent: MachineSetup.Parent
    ) throws {
        var setup = MachineSetup()
        setup.parent = parent
        setup.usesVirtualAddresses = usesVirtualAddresses
        setup.memlock = ("65536", "65536")
        let diagnosis = try #require(diagnoses(setup).first)
        let memlock = try #require(diagnosis.findings.first { $0.topic == "memlock" })
        #expect(memlock.status == .ok && memlock.text.contains("nothing is pinned"))
        #expect(diagnosis.isReady)
    }

    @Test func `without opening, the device is left alone`() throws {
        let simulator = SimulatedDevice()
        // Were it opened, the answer would be EBUSY.
        let holder = try VDPADevice(simulator)
        let diagnosis = try #require(diagnoses(MachineSetup(), simulator).first)
        #expect(diagnosis.isReady && diagnosis.findings.allSatisfy { $0.topic != "open" })
        #expect(holder.addressSpaceCount == 2)
    }

    @Test func `what is no vhost-vdpa device is not opened`() throws {
        var setup = MachineSetup()
        setup.isSomethingElse = true
        let diagnosis = try #require(diagnoses(setup, opening: true).first)
        #expect(diagnosis.findings.allSatisfy { $0.topic != "open" } && !diagnosis.isReady)
    }

    @Test func `a device that somebody has open is told from the answer to open`() throws {
        let simulator = SimulatedDevice()
        let holder = try VDPADevice(simulator)
        let diagnosis = try #require(
            diagnoses(MachineSetup(), simulator, opening: true).first)
        let open = try #require(diagnosis.findings.first { $0.topic == "open" })
        #expect(open.status == .failure && open.text.contains("open already"))
        #expect(open.remedy?.isEmpty == false && !diagnosis.isReady)
        #expect(holder.addressSpaceCount == 2)
    }

    @Test func `a diagnosis reads back from its JSON`() throws {
        let found = try diagnoses(opening: true)
        let data = try JSONEncoder().encode(found)
        #expect(try JSONDecoder().decode([Diagnosis].self, from: data) == found && !found.isEmpty)
    }

    @Test func `this machine is looked at without a fault`() {
        for diagnosis in Machine().diagnose() {
            #expect(diagnosis.findings.contains { $0.topic == "kernel" })
            #expect(diagnosis.findings.allSatisfy { ($0.status == .ok) == ($0.remedy == nil) })
        }
    }
}
