import HostMemory
import TestSupport
import Testing

@Suite struct NodeTests {
    private let node = HostTopology().nodes[0]

    @Test func aRequiredNodeHoldsEveryPage() throws {
        let memory = try HostMemory.allocate(
            byteCount: 1 << 20, pages: .exactly(.size4KiB), node: .required(node))
        #expect(memory.placement.pagesByNode == [node: 256])
        #expect(memory.placement.wantedNodes == [node])
    }

    @Test(arguments: [NodePolicy.required(7777), .preferred(7777), .interleaved([0, 7777])])
    func aNodeThatDoesNotExistIsAnErrorThatListsThoseThatDo(policy: NodePolicy) throws {
        do throws(HostMemoryError) {
            _ = try HostMemory.allocate(byteCount: 4096, node: policy)
            Issue.record("memory on a node that does not exist")
        } catch {
            #expect(error.code == .noSuchNode)
            #expect(error.nodes == [7777])
            #expect(error.existingNodes == HostTopology().nodes)
        }
    }

    @Test func aNegativeNodeAndAnEmptySetAreRefused() {
        for policy in [NodePolicy.required(-1), .interleaved([])] {
            #expect(throws: HostMemoryError.self) {
                _ = try HostMemory.allocate(byteCount: 4096, node: policy)
            }
        }
    }

    @Test func theDevicesNodeIsPreferredAndAnyWithoutOne() throws {
        let placed = try HostMemory.allocate(
            byteCount: 4096, pages: .largest, node: .device, deviceNode: node)
        #expect(placed.placement.wantedNodes == [node])
        for missing in [nil, 7777] {
            let anywhere = try HostMemory.allocate(
                byteCount: 4096, node: .device, deviceNode: missing)
            #expect(anywhere.placement.wantedNodes == [])
            #expect(anywhere.placement.spilledPages == 0)
        }
    }

    @Test func theCallingThreadsNodeIsAsked() throws {
        let memory = try HostMemory.allocate(byteCount: 4096, node: .callingThread)
        #expect(memory.placement.wantedNodes.count == 1)
    }

    @Test func pagesAreInterleavedOverASet() throws {
        let nodes = HostTopology().nodes
        let memory = try HostMemory.allocate(
            byteCount: 4096 * 64 * nodes.count, pages: .exactly(.size4KiB),
            node: .interleaved(nodes))
        #expect(memory.placement.pagesByNode.count == nodes.count)
        #expect(memory.placement.pageCount == 64 * nodes.count)
    }

    @Test func aSandboxWithoutNUMACallsIsHarmlessWhereOneNodeIsAllThereIs() throws {
        var options = HostMemory.Options()
        options.system = SystemCalls { $0 == .bind || $0 == .queryNodes ? 1 : nil }
        let one = try FileTree.sysfs(freeHugepages: [0])
        options.topology = HostTopology(sysfs: one.path)
        let memory = try HostMemory.allocate(
            byteCount: 8192, node: .required(0), options: options)
        #expect(memory.placement.pagesByNode == [0: 2])

        let two = try FileTree.sysfs(freeHugepages: [0, 0])
        options.topology = HostTopology(sysfs: two.path)
        let unknown = try HostMemory.allocate(byteCount: 8192, node: .any, options: options)
        #expect(unknown.placement.unverifiedPages == 2)
        do throws(HostMemoryError) {
            _ = try HostMemory.allocate(byteCount: 8192, node: .required(0), options: options)
            Issue.record("a node was promised that could not be asked for")
        } catch {
            #expect(error.code == .systemCallFailed)
            #expect(error.call == .bind)
            #expect(error.remedy.contains("CAP_SYS_NICE"))
        }
    }
}
