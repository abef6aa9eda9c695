internal import CVhostVDPA

private let efault = Int(-EFAULT)
private let top = UInt64.max

extension ConformanceCase {
    /// What UPDATE accepts and what INVALIDATE removes.
    static let ranges: [ConformanceCase] = [
        ConformanceCase("the last page of the range maps, the page after it does not") { context in
            let client = try context.open()
            let pages = try Pages(2)
            var range = vhost_vdpa_iova_range(first: 1, last: 1)
            try expectEqual(client.call(CVHOST_VDPA_GET_IOVA_RANGE, &range), 0, "GET_IOVA_RANGE")
            let page = range.last & ~0xfff
            try expectEqual(client.update(page, 4096, pages[0]), 72, "the last page")
            try expectEqual(client.invalidate(page, 4096), 72, "INVALIDATE")
            try expectEqual(client.update(page, 8192, pages[0]), efault, "a page too many")
            try expectEqual(client.isFree(page, pages[0]), true, "nothing is left")
        },
        ConformanceCase("an UPDATE above the range is EFAULT", on: [.iommu]) { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.update(1 << 48, 4096, pages[0]), efault, "2^48")
            try expectEqual(client.update(top - 0xfff, 4096, pages[0]), efault, "2^64-4096")
        },
        ConformanceCase("the page of IOVA 0 maps") { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.update(0, 4096, pages[0]), 72, "UPDATE")
        },
        ConformanceCase("the same UPDATE twice is EFAULT and changes nothing") { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
            let pinned = context.pinnedPages()
            try expectEqual(client.update(0x1000, 4096, pages[0]), efault, "the same")
            try expectEqual(client.update(0x1000, 4096, pages[0], access: 1), efault, "read-only")
            try expectEqual(context.pinnedPages(), pinned, "pinned pages")
            try expectEqual(client.isFree(0x1000, pages[0]), false, "still mapped")
        },
        ConformanceCase("neighbours map, an overlap at either end is EFAULT") { context in
            let client = try context.open()
            let pages = try Pages(3)
            try expectEqual(client.update(0x2000, 4096, pages[0]), 72, "the middle")
            try expectEqual(client.update(0x1000, 8192, pages[1]), efault, "over its start")
            try expectEqual(client.update(0x2000, 8192, pages[1]), efault, "over its end")
            try expectEqual(client.update(0x1000, 4096, pages[1]), 72, "before")
            try expectEqual(client.update(0x3000, 4096, pages[2]), 72, "after")
        },
        ConformanceCase("pinned mappings are whole pages", on: .pinned) { context in
            let client = try context.open()
            let pages = try Pages(1)
            let before = context.pinnedPages()
            try expectEqual(client.update(0x1800, 0x100, pages[0]), 72, "256 bytes")
            try expectEqual(context.pinnedPages(), before + 1, "pinned pages")
            try expectEqual(client.update(0x1000, 0x100, pages[0]), efault, "in the same page")
            try expectEqual(client.update(0x1f00, 0x100, pages[0]), efault, "its end")
            try expectEqual(client.update(0x2000, 0x100, pages[0]), 72, "the next page")
        },
        ConformanceCase("only the IOVA's offset in its page counts for the size", on: .pinned) {
            context in
            let client = try context.open()
            let pages = try Pages(3)
            let before = context.pinnedPages()
            try expectEqual(client.update(0x1000, 4096, pages[0] + 0x800), 72, "uneven address")
            try expectEqual(context.pinnedPages(), before + 1, "one page, not two")
            try expectEqual(client.update(0x2800, 4096, pages[0]), 72, "uneven IOVA")
            try expectEqual(context.pinnedPages(), before + 3, "two pages")
        },
        ConformanceCase("mappings by virtual address are exact to the byte", on: [.vduse]) {
            context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.update(0x1800, 0x100, pages[0] + 0x800), 72, "256 bytes")
            try expectEqual(client.update(0x1000, 0x800, pages[0]), 72, "below, in the same page")
            try expectEqual(client.update(0x1900, 0x700, pages[0] + 0x900), 72, "above")
            try expectEqual(client.update(0x18ff, 1, pages[0]), efault, "its last byte")
        },
        ConformanceCase("an INVALIDATE of one byte removes the whole entry") { context in
            let client = try context.open()
            let pages = try Pages(1)
            let before = context.pinnedPages()
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
            try expectEqual(client.invalidate(0x1800, 1), 72, "INVALIDATE")
            try expectEqual(context.pinnedPages(), before, "pinned pages")
            try expectEqual(client.isFree(0x1000, pages[0]), true, "the page is free")
        },
        ConformanceCase("an INVALIDATE over three entries and gaps removes them all") { context in
            let client = try context.open()
            let pages = try Pages(4)
            let before = context.pinnedPages()
            for page in 0..<4 {
                let iova = 0x1000 + UInt64(page) * 0x3000
                try expectEqual(client.update(iova, 4096, pages[page]), 72, "UPDATE \(page)")
            }
            try expectEqual(client.invalidate(0x800, 0x6801), 72, "INVALIDATE")
            for page in 0..<3 {
                let iova = 0x1000 + UInt64(page) * 0x3000
                try expectEqual(client.isFree(iova, pages[page]), true, "page \(page)")
            }
            try expectEqual(client.isFree(0xa000, pages[3]), false, "the one behind")
            guard context.profile.pinsMemory else { return }
            try expectEqual(context.pinnedPages(), before + 1, "pinned pages")
        },
        ConformanceCase("an INVALIDATE of nothing is 72") { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
            try expectEqual(client.invalidate(0x10_0000, 4096), 72, "far away")
            try expectEqual(client.invalidate(0x2000, 4096), 72, "next to it")
            try expectEqual(client.isFree(0x1000, pages[0]), false, "still mapped")
        },
        ConformanceCase("an INVALIDATE of (0, 0) removes everything") { context in
            let client = try context.open()
            let pages = try Pages(2)
            let before = context.pinnedPages()
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
            try expectEqual(client.update(0x7fff_f000, 4096, pages[1]), 72, "another")
            try expectEqual(client.invalidate(0, 0), 72, "INVALIDATE")
            try expectEqual(context.pinnedPages(), before, "pinned pages")
            try expectEqual(client.isFree(0x1000, pages[0]), true, "the first")
            try expectEqual(client.isFree(0x7fff_f000, pages[1]), true, "the second")
        },
        ConformanceCase("an INVALIDATE of (0, 2^64-1) removes all but the last byte's") { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
            try expectEqual(client.invalidate(0, top), 72, "INVALIDATE")
            try expectEqual(client.isFree(0x1000, pages[0]), true, "the page is free")
        },
        ConformanceCase("an INVALIDATE of size 0 removes an entry around its address") { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
            try expectEqual(client.invalidate(0x1000, 0), 72, "at its start")
            try expectEqual(client.isFree(0x1000, pages[0]), false, "still mapped")
            try expectEqual(client.invalidate(0x1001, 0), 72, "strictly inside")
            try expectEqual(client.isFree(0x1000, pages[0]), true, "the page is free")
        },
    ]
}
