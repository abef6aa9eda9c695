internal import VDPAMemory

extension ConformanceCase {
    /// Regions on real hugepages of two nodes, mapped to the device: the test VM alone has them.
    static let domainMemory: [ConformanceCase] = [
        ConformanceCase(
            "regions of 2 MiB pages are on the node that was required", machines: [.kernel]
        ) {
            context in
            let domain = try context.openDomain()
            for node in [0, 1] {
                let region = try domain.allocate(
                    byteCount: 16 << 20,
                    options: .init(pages: .exactly(.size2MiB), node: .required(node)))
                let info = try region.info
                try expectEqual(info.pageSize, .size2MiB, "page size")
                try expectEqual(info.placement?.pagesByNode, [node: 8], "pages by node")
                try expectEqual(region.iova.rawValue % (2 << 20), 0, "IOVA and page agree")
                try expectEqual(context.pinnedPages(), context.pins(4096), "pinned")
                try expectEqual(domain.statistics.entriesAtMost <= 8, true, "entries")
                try region.free()
                try expectEqual(context.pinnedPages(), 0, "after free")
            }
        },
        ConformanceCase(
            "small regions are carved on the node that was required", machines: [.kernel]
        ) {
            context in
            let domain = try context.openDomain()
            for node in [0, 1] {
                let region = try domain.allocate(
                    byteCount: 4096, options: .init(node: .required(node)))
                let placement = try region.info.placement
                try expectEqual(placement?.pagesByNode.keys.sorted(), [node], "nodes")
            }
        },
        ConformanceCase("a page of 1 GiB on node 1 is mapped to the device", machines: [.kernel]) {
            context in
            let domain = try context.openDomain()
            let region = try domain.allocate(
                byteCount: 1 << 30,
                options: .init(pages: .exactly(.size1GiB), node: .required(1)))
            let info = try region.info
            try expectEqual(info.pageSize, .size1GiB, "page size")
            try expectEqual(info.placement?.pagesByNode, [1: 1], "pages by node")
            try expectEqual(region.iova.rawValue % (1 << 30), 0, "IOVA and page agree")
            try expectEqual(context.pinnedPages(), context.pins(1 << 18), "pinned")
            try expectEqual(domain.statistics.entriesAtMost, 1, "entries")
            try region.free()
            try expectEqual(context.pinnedPages(), 0, "after free")
        },
        ConformanceCase(
            "a required node that is short of pages is an error, before any message",
            machines: [.kernel]
        ) {
            context in
            let domain = try context.openDomain()
            let pages = HostMemoryGuestCases.pagesOnNode1 + 1
            let error = try context.refusal(.hostMemory, domain) { () throws(DMAError) in
                _ = try domain.allocate(
                    byteCount: pages * 2 << 20,
                    options: .init(pages: .exactly(.size2MiB), node: .required(1)))
            }
            for figure in ["\(pages) pages", "node 1", "64 on node 1"] {
                try expectEqual(error.message.contains(figure), true, "\(figure): \(error)")
            }
            try expectEqual(context.pinnedPages(), 0, "pinned")
        },
        ConformanceCase(
            "a preferred node that is short spills, and the region says so", machines: [.kernel]
        ) {
            context in
            let domain = try context.openDomain()
            let region = try domain.allocate(
                byteCount: 80 * 2 << 20,
                options: .init(pages: .exactly(.size2MiB), node: .preferred(1)))
            let placement = try region.info.placement
            try expectEqual(placement?.pagesByNode, [1: 64, 0: 16], "pages by node")
            try expectEqual(placement?.spilledPages, 16, "spilled")
            try expectEqual(context.pinnedPages(), context.pins(80 * 512), "pinned")
        },
    ]
}
