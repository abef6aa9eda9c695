import Foundation
import TestSupport
import Testing
import VDPADiagnosis

@Suite("What a layout asks of the machine")
struct PlanTests {
    private func plan(
        _ memory: String, page: String, devices: Int = 1, addressSpaces: Int = 1,
        nodes: [Int] = [], _ setup: MachineSetup = MachineSetup()
    ) throws -> (plan: Plan, root: String) {
        let tree = try MachineTree(setup)
        let request = PlanRequest(
            memory: try #require(ByteCount(text: memory)),
            page: try #require(ByteCount(text: page)), devices: devices,
            addressSpaces: addressSpaces, nodes: nodes)
        let plan = withExtendedLifetime(tree) { tree.machine().plan(request) }
        return (try #require(plan), tree.tree.path)
    }

    private func steps(_ plan: Plan, _ topic: String) -> [PlanStep] {
        plan.steps.filter { $0.topic == topic }
    }

    @Test func `64G in pages of 1G for two devices`() throws {
        var setup = MachineSetup()
        setup.memlock = ("8388608", "8388608")
        let (plan, root) = try plan("64G", page: "1G", devices: 2, setup)
        #expect(!plan.isReady)
        #expect(
            steps(plan, "devices") == [
                .init(
                    "devices", .warning, "2 devices wanted, 1 found",
                    ["vdpa mgmtdev show", "vdpa dev add name vdpaN mgmtdev NAME"])
            ])
        let pages = try #require(steps(plan, "hugepages").first)
        #expect(pages.status == .failure && steps(plan, "hugepages").count == 1)
        #expect(pages.text.hasPrefix("node 1: 64 pages of 1 GiB, 2 free of 6; 3.7 GiB of the"))
        #expect(
            pages.commands == [
                "on the kernel's command line, for good: hugepagesz=1G hugepages=1:64"
            ])
        let bytes = 128 << 30
        #expect(
            steps(plan, "memlock") == [
                .init(
                    "memlock", .warning,
                    "128 GiB locked: 64 GiB for each of 2 devices with 1 address space; "
                        + "the limit is 8 MiB",
                    [
                        "ulimit -l \(bytes >> 10)", "prlimit --memlock=\(bytes) --pid PID",
                        "in the service's unit: LimitMEMLOCK=\(bytes)",
                    ])
            ])
        #expect(
            steps(plan, "entries") == [
                .init("entries", .ok, "at most 64 entries in each address space, of 2048")
            ])
        #expect(!root.isEmpty)
    }

    @Test func `what the pool lacks is added to what it has`() throws {
        let (plan, root) = try plan("255M", page: "2M")
        let step = try #require(steps(plan, "hugepages").first)
        #expect(step.text == "node 1: 128 pages of 2 MiB, 64 free of 68" && step.status == .warning)
        let pool = "devices/system/node/node1/hugepages/hugepages-2048kB"
        #expect(step.commands.first == "echo 132 > \(root)/sys/\(pool)/nr_hugepages")
        #expect(step.commands.last?.hasSuffix("hugepagesz=2M hugepages=1:128") == true)
    }

    @Test func `pages are spread evenly, the first nodes take the rest`() throws {
        let (plan, _) = try plan("10M", page: "2M", nodes: [0, 1])
        #expect(
            steps(plan, "hugepages").map(\.text) == [
                "node 0: 3 pages of 2 MiB, 96 free of 100",
                "node 1: 2 pages of 2 MiB, 64 free of 68",
            ])
        #expect(plan.isReady)
    }

    @Test func `small pages need entries, and larger pages are named`() throws {
        let (plan, _) = try plan("64M", page: "4K")
        let step = try #require(steps(plan, "entries").first)
        #expect(step.status == .warning)
        #expect(step.text == "at most 16384 entries in each address space, of 2048")
        #expect(step.commands.contains { $0.contains("max_iotlb_entries=16384") })
        #expect(step.commands.last == "or larger pages: --page 1G")
        #expect(steps(plan, "hugepages").first?.text.contains("of ordinary memory") == true)
    }

    @Test func `each address space of each device is counted`() throws {
        var setup = MachineSetup()
        setup.memlock = ("\(24 << 20)", "unlimited")
        #expect(
            try plan("4M", page: "2M", devices: 1, addressSpaces: 6, setup).plan.steps
                .contains { $0.topic == "memlock" && $0.status == .ok })
        #expect(
            try plan("4M", page: "2M", devices: 1, addressSpaces: 7, setup).plan.steps
                .contains { $0.topic == "memlock" && $0.status == .warning })
    }

    @Test func `what cannot be is said, not computed`() throws {
        var setup = MachineSetup()
        setup.giant = nil
        setup.entryLimit = nil
        setup.memlock = nil
        let (none, _) = try plan("2G", page: "1G", setup)
        #expect(steps(none, "hugepages").first?.text.contains("has no pages of 1 GiB") == true)
        #expect(steps(none, "memlock").first?.text.hasSuffix("the limit is not known") == true)
        #expect(steps(none, "entries").first?.text.hasSuffix("of 2048") == true)
        let (elsewhere, _) = try plan("2M", page: "2M", nodes: [7])
        #expect(steps(elsewhere, "hugepages").first?.text.contains("no node 7") == true)
        let (huge, _) = try plan("65536T", page: "4K", devices: 65_536, setup)
        #expect(steps(huge, "memlock").first?.text.hasPrefix("16777215.9 TiB locked") == true)
        let machine = try MachineTree().machine()
        for (memory, page) in [(0, 4096), (4096, 8192), (1 << 57, 4096)] as [(UInt64, UInt64)] {
            #expect(
                machine.plan(PlanRequest(memory: ByteCount(memory), page: ByteCount(page))) == nil)
        }
    }

    @Test func `a plan reads back from its JSON`() throws {
        let (plan, _) = try plan("64M", page: "4K")
        let data = try JSONEncoder().encode(plan)
        #expect(try JSONDecoder().decode(Plan.self, from: data) == plan)
    }

    @Test(arguments: [
        ("4096", 4096), ("64K", 65_536), ("64k", 65_536), ("2M", 2 << 20), ("2MiB", 2 << 20),
        ("1 GiB", 1 << 30), ("3TB", 3 << 40), ("0", 0), ("17B", 17),
    ])
    func `bytes are read as people write them`(text: String, bytes: Int) {
        #expect(ByteCount(text: text)?.rawValue == UInt64(bytes))
    }

    @Test(arguments: ["", "G", "-1", "1.5G", "1X", "99999999T", "iB", "1 2"])
    func `what is no number of bytes is refused`(text: String) {
        #expect(ByteCount(text: text) == nil)
    }

    @Test func `bytes are written in the largest unit`() {
        let texts = [0, 4095, 4096, 6 << 19, 1 << 30, (1 << 40) + (1 << 39)].map {
            ByteCount(UInt64($0)).description
        }
        #expect(texts == ["0 bytes", "3.9 KiB", "4 KiB", "3 MiB", "1 GiB", "1.5 TiB"])
    }
}
