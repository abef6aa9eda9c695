internal import Glibc
internal import HostMemory
internal import TestSupport

// Placement: what is asked for on two nodes is where it was asked for.
extension HostMemoryGuestCases {
    private static let page = PageSize.size2MiB.byteCount

    @Sendable static func expectedMachine() throws {
        try requireEqual(HostTopology().nodes, [0, 1])
        try requireEqual(
            HostTopology().freePages(of: .size2MiB), [0: pagesOnNode0, 1: pagesOnNode1])
        // The kernel command line asks for one on node 1 alone.
        try require(freeGigantic(1) > 0, "no page of 1 GiB on node 1")
    }

    private static func freeGigantic(_ node: Int) -> Int {
        HostTopology().freePages(of: .size1GiB)[node] ?? 0
    }

    @Sendable static func requiredNode() throws {
        for node in [0, 1] {
            try poolsUnchanged {
                let before = Pools()
                let memory = try HostMemory.allocate(
                    byteCount: 16 * page - 1, pages: .exactly(.size2MiB), node: .required(node))
                try requireEqual(memory.pageSize, .size2MiB)
                try requireEqual(memory.byteCount, 16 * page)
                try requireEqual(memory.placement.pagesByNode, [node: 16])
                let address = unsafe UInt(bitPattern: memory.baseAddress)
                try requireEqual(address % UInt(page), 0)
                let now = Pools()
                try requireEqual(now.small[node], before.small[node].map { $0 - 16 })
                try requireEqual(now.small[1 - node], before.small[1 - node])
                try touch(memory)
            }
        }
    }

    @Sendable static func preferredSpills() throws {
        try poolsUnchanged {
            let memory = try HostMemory.allocate(
                byteCount: 80 * page, pages: .exactly(.size2MiB), node: .preferred(1))
            try requireEqual(memory.placement.pagesByNode, [1: pagesOnNode1, 0: 16])
            try requireEqual(memory.placement.spilledPages, 16)
            try touch(memory)
        }
    }

    @Sendable static func deviceNode() throws {
        try poolsUnchanged {
            let memory = try HostMemory.allocate(
                byteCount: 64 << 20, pages: .largest, node: .device, deviceNode: 1)
            try requireEqual(memory.pageSize, .size2MiB)
            try requireEqual(memory.placement.pagesByNode, [1: 32])
        }
    }

    /// The profile says what is behind the devices: `iommu` puts its network device on node 1.
    @Sendable static func devicesNode() throws {
        let nodes = (0..<4).map { HostTopology().node(ofDevice: "vhost-vdpa-\($0)") }
        // Safe: the environment is not changed while the cases run.
        let profile = unsafe getenv("KERNEL_VM_PROFILE").map { unsafe String(cString: $0) }
        let expected = profile == "iommu" ? [1] : []
        try requireEqual(nodes.compactMap { $0 }.filter { $0 == 1 }, expected)
        if profile != "iommu" { try requireEqual(nodes.compactMap { $0 }, []) }
    }

    @Sendable static func interleaved() throws {
        try poolsUnchanged {
            let memory = try HostMemory.allocate(
                byteCount: 32 * page, pages: .exactly(.size2MiB), node: .interleaved([1, 0]))
            try requireEqual(memory.placement.pagesByNode, [0: 16, 1: 16])
            try requireEqual(memory.placement.spilledPages, 0)
        }
    }

    @Sendable static func callingThread() throws {
        let memory = try HostMemory.allocate(
            byteCount: 1 << 20, pages: .exactly(.size4KiB), node: .callingThread)
        let wanted = memory.placement.wantedNodes
        try requireEqual(wanted.count, 1)
        try requireEqual(memory.placement.pagesByNode, [wanted[0]: 256])
    }

    @Sendable static func transparent() throws {
        for node in [0, 1] {
            let memory = try HostMemory.allocate(
                byteCount: 8 << 20, pages: .exactly(.transparent2MiB), node: .required(node))
            try requireEqual(memory.pageSize, .transparent2MiB)
            try requireEqual(memory.placement.pagesByNode, [node: 4])
            try touch(memory)
        }
        // Over two chunks: the second goes on where the first ended.
        let both = try HostMemory.allocate(
            byteCount: 68 << 20, pages: .exactly(.transparent2MiB), node: .interleaved([0, 1]))
        try requireEqual(both.placement.pagesByNode, [0: 17, 1: 17])
        try touch(both)
    }

    @Sendable static func gigantic() throws {
        try poolsUnchanged {
            let memory = try HostMemory.allocate(
                byteCount: 1 << 30, pages: .exactly(.size1GiB), node: .required(1))
            try requireEqual(memory.pageSize, .size1GiB)
            try requireEqual(memory.placement.pagesByNode, [1: 1])
            try touch(memory)
        }
        let tooMany = freeGigantic(0) + 1
        let error = try refusal(tooMany << 30, .exactly(.size1GiB), .required(0))
        try requireEqual(error.code, .exhausted)
        try requireEqual(error.wantedPages, tooMany)
        try requireEqual(error.freePagesByNode, [0: freeGigantic(0), 1: freeGigantic(1)])
    }
}

// Exhaustion: a clear refusal or a reported fallback, and nothing left behind.
extension HostMemoryGuestCases {
    @Sendable static func requiredExhausted() throws {
        try poolsUnchanged {
            let error = try refusal(
                (pagesOnNode1 + 1) * page, .exactly(.size2MiB), .required(1))
            try requireEqual(error.code, .exhausted)
            try requireEqual(error.nodes, [1])
            try requireEqual(error.wantedPages, pagesOnNode1 + 1)
            try requireEqual(error.freePagesByNode, [0: pagesOnNode0, 1: pagesOnNode1])
            try require(
                error.remedy.contains(
                    "echo \(pagesOnNode1 + 1) > /sys/devices/system/node/node1/hugepages/"),
                error.remedy)
        }
    }

    @Sendable static func largestFallsBack() throws {
        try poolsUnchanged {
            let pages = freeGigantic(0) + freeGigantic(1)
            let first = try HostMemory.allocate(byteCount: pages << 30, node: .any)
            try requireEqual(first.pageSize, .size1GiB)
            let second = try HostMemory.allocate(
                byteCount: 8 * page, pages: .firstOf([.size1GiB, .size2MiB]), node: .any)
            try requireEqual(second.pageSize, .size2MiB)
            try requireEqual(second.earlierAttempts.map(\.pageSize), [.size1GiB])
            try requireEqual(second.earlierAttempts.first?.freePagesByNode, [0: 0, 1: 0])
            try requireEqual(first.byteCount, pages << 30)
        }
    }

    @Sendable static func largestStaysOnNode() throws {
        try poolsUnchanged {
            let memory = try HostMemory.allocate(
                byteCount: (pagesOnNode1 + 1) * page, pages: .largest, node: .required(1))
            try require(!memory.pageSize.isHugetlb, "\(memory.pageSize) from an empty pool")
            try requireEqual(Array(memory.placement.pagesByNode.keys), [1])
            try requireEqual(memory.earlierAttempts.first?.code, .exhausted)
        }
    }

    @Sendable static func wholePool() throws {
        try poolsUnchanged {
            let all = try HostMemory.allocate(
                byteCount: (pagesOnNode0 + pagesOnNode1) * page, pages: .exactly(.size2MiB),
                node: .any)
            try requireEqual(all.placement.pagesByNode, [0: pagesOnNode0, 1: pagesOnNode1])
            try touch(all)
            let error = try refusal(page, .exactly(.size2MiB), .any)
            try requireEqual(error.freePagesByNode, [0: 0, 1: 0])
            let other = try HostMemory.allocate(byteCount: page, node: .any)
            try requireEqual(other.pageSize, .transparent2MiB)
            try requireEqual(all.pageSize, .size2MiB)
        }
    }

    /// sysfs promises what the kernel does not have, as when another process takes pages between
    /// the look and the allocation: every later step must hold too.
    @Sendable static func shortWhilePopulating() throws {
        let tree = try FileTree.sysfs(freeHugepages: [1000, 1000])
        var options = HostMemory.Options()
        options.topology = HostTopology(sysfs: tree.path)
        for threads in [1, 2] {
            options.population.threadCount = threads
            try poolsUnchanged {
                let error = try refusal(
                    (pagesOnNode1 + 1) * page, .exactly(.size2MiB), .required(1), options)
                try requireEqual(error.code, .exhausted)
                try requireEqual(error.call, .populate)
            }
        }
    }

    @Sendable static func shortAtMap() throws {
        let tree = try FileTree.sysfs(freeHugepages: [1000, 1000])
        var options = HostMemory.Options()
        options.topology = HostTopology(sysfs: tree.path)
        try poolsUnchanged {
            let pages = pagesOnNode0 + pagesOnNode1 + 1
            let error = try refusal(pages * page, .exactly(.size2MiB), .any, options)
            try requireEqual(error.code, .exhausted)
            try requireEqual(error.call, .map)
        }
    }

    @Sendable static func everyStep() throws {
        let steps: [SystemCall] = [
            .memfdCreate, .truncate, .map, .adviseFork, .adviseDump, .bind, .populate, .readSmaps,
            .queryNodes,
        ]
        for step in steps {
            for node in [NodePolicy.required(1), .preferred(0), .interleaved([0, 1])] {
                var options = HostMemory.Options()
                options.isExcludedFromCoreDumps = true
                options.system = SystemCalls { $0 == step ? 12 : nil }
                try poolsUnchanged {
                    let error = try refusal(24 * page, .exactly(.size2MiB), node, options)
                    try requireEqual(error.call, step)
                }
            }
        }
    }

    @Sendable static func ordinaryExhausted() throws {
        for size in [PageSize.size4KiB, .transparent2MiB] {
            let error = try refusal(4 << 30, .exactly(size), .required(0))
            try requireEqual(error.code, .exhausted)
            try require((error.freePagesByNode[0] ?? 0) > 0, "no figures: \(error)")
            try require(error.remedy.contains(".preferred"), error.remedy)
        }
    }
}
