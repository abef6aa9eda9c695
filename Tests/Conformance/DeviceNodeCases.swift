internal import Glibc
internal import HostMemory
internal import VDPAMemory

extension ConformanceCase {
    /// The device's NUMA node, and memory that nobody chose another for.
    static let deviceNodes: [ConformanceCase] = [
        ConformanceCase(
            "a device on no node says so, and takes memory from any",
            on: [.sim, .simNoBatch, .vduse]
        ) { context in
            let device = try context.machine.openDevice()
            try expectEqual(device.numaNode, nil, "the device's node")
            let domain = try DMADomain(device)
            let region = try domain.allocate(byteCount: 4 << 20)
            try expectEqual(region.info.placement?.wantedNodes ?? [], [], "wanted nodes")
            try expectEqual(context.pinnedPages(), context.pins(1024), "pinned")
            try region.free()
        },
        ConformanceCase(
            "what a domain allocates unasked is on the device's node", on: [.iommu],
            machines: [.kernel]
        ) { context in
            let device = try networkDevice()
            try expectEqual(device.numaNode, 1, "the network device's node")
            let domain = try DMADomain(device)
            let policies: [(PagePolicy, PageSize, pages: Int)] = [
                (.largest, .size2MiB, 4), (.exactly(.size2MiB), .size2MiB, 4),
                (.exactly(.size4KiB), .size4KiB, 2048),
            ]
            for (policy, size, pages) in policies {
                let region = try domain.allocate(
                    byteCount: 8 << 20, options: .init(pages: policy, isolation: .dedicated))
                let info = try region.info
                try expectEqual(info.pageSize, size, "page size, \(policy)")
                try expectEqual(info.placement?.pagesByNode, [1: pages], "pages, \(policy)")
                // The kernel's word, page by page.
                let runs = try region.nodeRuns()
                try expectEqual(runs.map(\.node), [1], "nodes, \(policy)")
                try expectEqual(runs.map(\.byteCount), [8 << 20], "bytes on node 1, \(policy)")
                try region.free()
            }
            // A small one, carved from an extent that the domain had by itself.
            let small = try domain.allocate(byteCount: 4096)
            try expectEqual(small.info.placement?.pagesByNode.keys.sorted(), [1], "small")
            try small.free()
        },
    ]

    /// The profile's other device: the suite's is the block device, on no node.
    private static func networkDevice() throws -> VDPADevice {
        for number in 0..<4 {
            let path = "/dev/vhost-vdpa-\(number)"
            guard unsafe access(path, F_OK) == 0 else { continue }
            let device = try VDPADevice(path: path)
            if try device.deviceID == .network { return device }
        }
        throw ConformanceFailure(description: "no network device")
    }
}
