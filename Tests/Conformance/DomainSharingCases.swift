internal import CTestSupport
internal import HostMemory
internal import VDPAMemory

extension ConformanceCase {
    /// Memory beyond its domain: in other processes, after its end, and of the caller.
    static let domainSharing: [ConformanceCase] = [
        ConformanceCase("a region that the device has is exported to a second process") {
            context in
            let domain = try context.openDomain()
            let region = try domain.allocate(
                byteCount: 3 << 12,
                options: .init(pages: .exactly(.size4KiB), isolation: .dedicated))
            try exchange(region)
            try expectEqual(context.pinnedPages(), context.pins(3), "pinned")
            try region.free()
            try expectEqual(context.pinnedPages(), 0, "after free")
            let carved = try domain.allocate(byteCount: 4096)
            let error = try context.refusal(.notSupported, domain) { () throws(DMAError) in
                _ = try carved.export().byteCount
            }
            try expectEqual(error.remedy.contains(".dedicated"), true, "\(error)")
        },
        ConformanceCase("a region is zeroed once the device has let go of it, not before") {
            context in
            let domain = try DMADomain(
                try context.machine.openDevice(),
                options: .init(unmapping: .deferred(maximumBytes: 1 << 30)))
            let region = try domain.allocate(
                byteCount: 4096,
                options: .init(
                    pages: .exactly(.size4KiB), isolation: .dedicated, isZeroedWhenFreed: true))
            let export = try region.export()
            guard let view = unsafe ctest_map(export.descriptor, 4096) else {
                throw ConformanceFailure(description: "the export is not mapped")
            }
            defer { unsafe ctest_unmap(view, 4096) }
            unsafe region.bytes[4095] = 0x77
            try region.free()
            try expectEqual(context.pinnedPages(), context.pins(1), "still mapped")
            try expectEqual(unsafe view[4095], 0x77, "while it is mapped")
            try domain.flush()
            try expectEqual(context.pinnedPages(), 0, "after the flush")
            try expectEqual(unsafe view[4095], 0, "after the flush")
        },
        ConformanceCase("read-only memory is mapped read-only, and refused for writing") {
            context in
            let domain = try context.openDomain()
            let pages = try Pages(2, .sharedReadOnly)
            let region = try unsafe domain.register(pages.buffer(0, 2), access: .readOnly)
            try expectEqual(context.pinnedPages(), context.pins(2), "pinned")
            for access in [DMAAccess.readWrite, .writeOnly] {
                try context.refusal(.unsuitableMemory, domain) { () throws(DMAError) in
                    _ = try unsafe domain.register(pages.buffer(0, 1), access: access)
                }
            }
            try region.free()
            try expectEqual(context.pinnedPages(), 0, "after free")
        },
        ConformanceCase(
            "a region of 2 MiB pages is exported whole to a second process", machines: [.kernel]
        ) { context in
            try HostMemoryGuestCases.poolsUnchanged {
                let domain = try context.openDomain()
                let region = try domain.allocate(
                    byteCount: 3 << 20,
                    options: .init(pages: .exactly(.size2MiB), node: .required(1)))
                let export = try region.export()
                try expectEqual(export.mappableByteCount, 4 << 20, "whole pages")
                try expectEqual(export.pageSize, .size2MiB, "page size")
                try exchange(region)
                try expectEqual(try region.nodeRuns().map(\.node), [1], "nodes")
            }
        },
        ConformanceCase(
            "a part of a 2 MiB page is registered at a 4 KiB boundary", machines: [.kernel]
        ) { context in
            try HostMemoryGuestCases.poolsUnchanged {
                let domain = try context.openDomain()
                let huge = try HostMemory.allocate(
                    byteCount: 4 << 20, pages: .exactly(.size2MiB), node: .required(0))
                // Safe: inside the memory, which lives until the end.
                for (offset, count) in [(1, 3), (511, 2), (0, 1024), (1023, 1)] {
                    let part = unsafe UnsafeMutableRawBufferPointer(
                        start: huge.baseAddress + offset << 12, count: count << 12)
                    let region = try unsafe domain.register(part)
                    try expectEqual(context.pinnedPages(), context.pins(count), "pinned")
                    try region.free()
                }
                try expectEqual(context.pinnedPages(), 0, "after free")
                try expectEqual(huge.byteCount, 4 << 20, "the memory itself stays")
            }
        },
        ConformanceCase(
            "a region that is cancelled while it is populated leaves nothing", machines: [.kernel]
        ) { context in
            let domain = try context.openDomain()
            try HostMemoryGuestCases.poolsUnchanged {
                for threads in [1, 2] {
                    try context.refusal(.cancelled, domain) { () throws(DMAError) in
                        _ = try domain.allocate(
                            byteCount: 192 << 20,
                            options: .init(
                                pages: .exactly(.size2MiB),
                                population: Population(threadCount: threads) { _, _ in false }))
                    }
                    try expectEqual(context.pinnedPages(), 0, "pinned")
                    try expectEqual(domain.statistics.regions, 0, "regions")
                }
            }
        },
    ]

    /// A second process maps the region: each sees what the other writes, first byte and last.
    private static func exchange(_ region: borrowing DMARegion) throws {
        let export = try region.export()
        let answer = unsafe ctest_exchange(
            export.descriptor, UInt64(export.offset), UInt64(export.mappableByteCount),
            UInt64(region.byteCount - 1), region.address.assumingMemoryBound(to: UInt8.self))
        try expectEqual(answer, 0, "the second process")
    }
}
