import CNUMA
import HostMemory
import TestSupport
import Testing

@Suite struct TopologyTests {
    @Test func nodesAndPoolsAreReadFromSysfs() throws {
        let tree = try FileTree.sysfs(freeHugepages: [96, 64])
        let topology = HostTopology(sysfs: tree.path)
        #expect(topology.nodes == [0, 1])
        #expect(topology.pool(of: .size2MiB, onNode: 1)?.free == 64)
        #expect(topology.pool(of: .size2MiB)?.total == 160)
        #expect(topology.pool(of: .size1GiB) == nil)
        #expect(topology.pool(of: .size4KiB) == nil)
        #expect(topology.freePages(of: .size2MiB) == [0: 96, 1: 64])
        // 4000000 + 20000 + 30000 + 4000 KiB, less 2 % of 4 GiB.
        #expect(topology.availableByteCount(onNode: 0) == (4_054_000 << 10) - (4 << 30) / 50)
    }

    @Test func nodesWithoutMemoryAreLeftOutAndSetsMayHaveGaps() throws {
        let tree = try FileTree()
        try tree.write("devices/system/node/online", "0-5\n")
        try tree.write("devices/system/node/has_memory", "0,2-3,5\n")
        #expect(HostTopology(sysfs: tree.path).nodes == [0, 2, 3, 5])
    }

    @Test func aKernelWithoutNUMAHasNodeZeroAndTheMachinesPools() throws {
        let tree = try FileTree()
        try tree.write("kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "8\n")
        try tree.write("kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "7\n")
        try tree.write("kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages", "6\n")
        try tree.write("kernel/mm/hugepages/hugepages-2048kB/surplus_hugepages", "2\n")
        try tree.write("meminfo", "MemTotal: 1000 kB\nMemFree:  500 kB\n")
        let topology = HostTopology(sysfs: tree.path, procfs: tree.path)
        #expect(topology.nodes == [0])
        #expect(topology.freePages(of: .size2MiB) == [0: 7])
        #expect(topology.pool(of: .size2MiB)?.overcommit == 4)
        #expect(topology.availableByteCount(onNode: 0) == 500 << 10 - 1000 << 10 / 50)
    }

    @Test func sysfsAndLibnumaAgreeOnTheNodesWithMemory() {
        guard numa_available() >= 0 else {
            #expect(HostTopology().nodes == [0])
            return
        }
        let known = (0...numa_max_node()).filter { numa_node_size64($0, nil) > 0 }
        #expect(HostTopology().nodes == known.map { Int($0) })
    }

    @Test func aCpusetLeavesNodesOut() throws {
        let tree = try FileTree.sysfs(freeHugepages: [3, 5])
        try tree.write("self/status", "Name:\tx\nMems_allowed:\t1\nMems_allowed_list:\t0\n")
        var options = HostMemory.Options()
        options.topology = HostTopology(sysfs: tree.path, procfs: tree.path)
        #expect(options.topology.nodes == [0, 1])
        #expect(options.topology.allowedNodes == [0])
        // Eight pages are free, and five of them are no use to this process.
        do throws(HostMemoryError) {
            _ = try HostMemory.allocate(
                byteCount: 8 << 20, pages: .exactly(.size2MiB), node: .any, options: options)
            Issue.record("memory of a node that is not ours")
        } catch {
            #expect(error.code == .exhausted)
            #expect(error.call == nil, "refused before any call")
        }
        // What mbind answers for such a node.
        options.system = SystemCalls { $0 == .bind ? 22 : nil }
        do throws(HostMemoryError) {
            _ = try HostMemory.allocate(
                byteCount: 4096, node: .preferred(1), options: options)
            Issue.record("memory of a node that is not ours")
        } catch {
            #expect(error.code == .noSuchNode)
            #expect(error.nodes == [1] && error.existingNodes == [0])
            #expect(error.remedy.contains("Mems_allowed_list"))
        }
    }

    @Test func aControlGroupsLimitIsRefusedEarlyInsteadOfKilling() throws {
        let tree = try FileTree.sysfs(freeHugepages: [0])
        try tree.write("self/cgroup", "1:cpu:/other\n0::/pod/container\n")
        try tree.write("fs/cgroup/pod/memory.max", "104857600\n")
        try tree.write("fs/cgroup/pod/memory.current", "94371840\n")
        try tree.write("fs/cgroup/pod/memory.stat", "anon 1\ninactive_file 1048576\n")
        try tree.write("fs/cgroup/pod/container/memory.max", "max\n")
        try tree.write("fs/cgroup/pod/container/memory.current", "5\n")
        var options = HostMemory.Options()
        options.topology = HostTopology(sysfs: tree.path, procfs: tree.path)
        let room = try #require(options.topology.controlGroupRoom)
        // 100 MiB, less 90 MiB in use, of which 1 MiB is clean cache.
        #expect(room.byteCount == 11 << 20)
        options.system = SystemCalls { _ in fatalError("a call was made") }
        do throws(HostMemoryError) {
            _ = try HostMemory.allocate(
                byteCount: 12 << 20, pages: .firstOf([.transparent2MiB, .size4KiB]), node: .any,
                options: options)
            Issue.record("memory beyond the control group's limit")
        } catch {
            #expect(error.code == .exhausted && error.pageSize == .size4KiB)
            #expect(error.remedy.contains("\(11 << 20) bytes"))
            #expect(error.remedy.contains("pod/memory.max"))
        }
    }

    @Test func theOlderControlGroupsAreReadToo() throws {
        let tree = try FileTree()
        try tree.write("self/cgroup", "5:cpu:/x\n4:memory:/pod/container\n0::/\n")
        try tree.write("fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
        try tree.write("fs/cgroup/memory/memory.usage_in_bytes", "12345\n")
        // As a container sees it: the path is the host's, and its own group is the root.
        let topology = HostTopology(sysfs: tree.path, procfs: tree.path)
        #expect(topology.controlGroupRoom == nil, "no limit")
        try tree.write("fs/cgroup/memory/memory.limit_in_bytes", "20480\n")
        try tree.write("fs/cgroup/memory/memory.stat", "total_active_file 2345\nrss 1\n")
        #expect(topology.controlGroupRoom?.byteCount == 10_480)
    }

    @Test func noControlGroupsLimitIsNoLimit() throws {
        let tree = try FileTree()
        #expect(HostTopology(sysfs: tree.path, procfs: tree.path).controlGroupRoom == nil)
        try tree.write("self/cgroup", "0::/\n")
        #expect(HostTopology(sysfs: tree.path, procfs: tree.path).controlGroupRoom == nil)
        try tree.write("fs/cgroup/memory.max", "4096\n")
        try tree.write("fs/cgroup/memory.current", "8192\n")
        #expect(
            HostTopology(sysfs: tree.path, procfs: tree.path).controlGroupRoom?.byteCount == 0)
    }

    @Test func aDevicesNodeIsThatOfItsFirstParentThatHasOne() throws {
        let tree = try FileTree()
        let function = "devices/pci0000:80/0000:80:01.0"
        try tree.write("\(function)/numa_node", "1\n")
        try tree.write("devices/pci0000:80/numa_node", "0\n")
        try tree.makeFolder("\(function)/vdpa0/vhost-vdpa-0")
        try tree.link("class/vhost-vdpa/vhost-vdpa-0", to: "\(function)/vdpa0/vhost-vdpa-0")
        try tree.link("bus/vdpa/devices/vdpa0", to: "\(function)/vdpa0")
        try tree.link("dev/char/508:0", to: "\(function)/vdpa0/vhost-vdpa-0")
        let topology = HostTopology(sysfs: tree.path)
        #expect(topology.node(ofDevice: "vhost-vdpa-0") == 1)
        #expect(topology.node(ofDevice: "vdpa0") == 1)
        #expect(topology.node(ofCharacterDevice: 508, 0) == 1)
        try tree.makeFolder("\(function)/vdpa0/vhost-vdpa-7")
        #expect(topology.node(ofDevice: "vhost-vdpa-7") == 1, "a device without a class")
        try tree.write("\(function)/numa_node", "-1\n")
        #expect(topology.node(ofDevice: "vhost-vdpa-0") == nil, "the kernel does not know")
    }

    @Test func aSimulatorAndAnUnknownDeviceHaveNoNode() throws {
        let tree = try FileTree()
        try tree.makeFolder("devices/vdpasim_net/vdpa1/vhost-vdpa-1")
        try tree.link(
            "class/vhost-vdpa/vhost-vdpa-1", to: "devices/vdpasim_net/vdpa1/vhost-vdpa-1")
        try tree.write("numa_node", "0\n")
        let topology = HostTopology(sysfs: tree.path)
        for name in ["vhost-vdpa-1", "vhost-vdpa-9", "", "..", "../../devices", "*"] {
            #expect(topology.node(ofDevice: name) == nil, "\(name)")
        }
    }

    @Test func longFilesAreReadLineByLine() throws {
        let tree = try FileTree()
        // A figure behind more than one read buffer, in a file without a last newline.
        let filler = String(repeating: "Filler: 1 kB\n", count: 5000)
        try tree.write("meminfo", filler + "MemFree: 77 kB")
        let topology = HostTopology(sysfs: tree.path, procfs: tree.path)
        #expect(topology.availableByteCount(onNode: 0) == 77 << 10)
    }
}
