internal import CVhostVDPA
internal import VhostVDPA

private let efault = Int(-EFAULT)

extension ConformanceCase {
    /// Entries, locked memory, and the kind of memory.
    static let limits: [ConformanceCase] = [
        ConformanceCase("the 2049th entry is EFAULT, and a place freed can be taken") { context in
            let client = try context.open()
            let pages = try Pages(1)
            // The same page again and again: one entry each.
            try expectEqual(client.batchBegin(), 72, "BATCH_BEGIN")
            for entry in UInt64(1)...2048 {
                try expectEqual(client.update(entry << 12, 4096, pages[0]), 72, "entry \(entry)")
            }
            try expectEqual(client.update(2049 << 12, 4096, pages[0]), efault, "entry 2049")
            try expectEqual(client.invalidate(7 << 12, 4096), 72, "INVALIDATE")
            try expectEqual(client.update(2049 << 12, 4096, pages[0]), 72, "entry 2049 now")
            try expectEqual(client.update(7 << 12, 4096, pages[0]), efault, "the one that went")
            try expectEqual(client.invalidate(0, 0), 72, "everything")
            try expectEqual(client.batchEnd(), 72, "BATCH_END")
            try expectEqual(client.isFree(2049 << 12, pages[0]), true, "nothing is left")
        },
        ConformanceCase("an entry refused for the limit leaves no page pinned", on: .pinned) {
            context in
            let client = try context.open()
            let pages = try Pages(1)
            let before = context.pinnedPages()
            try expectEqual(client.batchBegin(), 72, "BATCH_BEGIN")
            for entry in UInt64(1)...2048 {
                try expectEqual(client.update(entry << 12, 4096, pages[0]), 72, "entry \(entry)")
            }
            try expectEqual(context.pinnedPages(), before + 2048, "each counted by itself")
            try expectEqual(client.update(2049 << 12, 4096, pages[0]), efault, "entry 2049")
            try expectEqual(context.pinnedPages(), before + 2048, "after the refusal")
            try expectEqual(client.invalidate(0, 0), 72, "everything")
            try expectEqual(client.batchEnd(), 72, "BATCH_END")
            try expectEqual(context.pinnedPages(), before, "after the end")
        },
        ConformanceCase("one page above RLIMIT_MEMLOCK is EFAULT and pins nothing", on: .pinned) {
            context in
            let client = try context.open()
            let pages = try Pages(17)
            let before = context.pinnedPages()
            context.machine.setLockedMemoryLimit(UInt64(before + 16) * 4096)
            try expectEqual(client.update(0x100000, 17 * 4096, pages[0]), efault, "17 pages")
            try expectEqual(context.pinnedPages(), before, "pinned pages")
            try expectEqual(client.update(0x100000, 16 * 4096, pages[0]), 72, "16 pages")
            try expectEqual(context.pinnedPages(), before + 16, "pinned pages")
            try expectEqual(client.update(0x200000, 4096, pages[0]), efault, "one more")
            try expectEqual(client.invalidate(0x100000, 17 * 4096), 72, "INVALIDATE")
            try expectEqual(client.update(0x200000, 4096, pages[0]), 72, "one more now")
        },
        ConformanceCase("mapping by virtual address needs no locked memory", on: [.vduse]) {
            context in
            let client = try context.open()
            let pages = try Pages(16)
            let before = context.pinnedPages()
            context.machine.setLockedMemoryLimit(4096)
            try expectEqual(client.update(0x100000, 16 * 4096, pages[0]), 72, "16 pages")
            try expectEqual(context.pinnedPages(), before, "pinned pages")
        },
        ConformanceCase("close unpins everything", on: .pinned) { context in
            let pages = try Pages(4)
            let before = context.pinnedPages()
            do {
                let client = try context.open()
                try expectEqual(client.update(0x1000, 4 * 4096, pages[0]), 72, "UPDATE")
                try expectEqual(context.pinnedPages(), before + 4, "pinned pages")
                try expectEqual(client.file.close(), 0, "close")
            }
            try expectEqual(context.pinnedPages(), before, "pinned pages")
        },
        ConformanceCase("private memory maps where pages are pinned", on: .pinned) { context in
            let client = try context.open()
            let pages = try Pages(1, .privateAnonymous)
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
            try expectEqual(client.isFree(0x1000, pages[0]), false, "the page is mapped")
        },
        ConformanceCase("private memory answers 72 and maps nothing", on: [.vduse]) { context in
            let client = try context.open()
            let pages = try Pages(1, .privateAnonymous)
            let shared = try Pages(1)
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
            try expectEqual(client.isFree(0x1000, shared[0]), true, "nothing is mapped")
        },
        ConformanceCase("an address in no area is EFAULT", on: .pinned) { context in
            let client = try context.open()
            let pages = try Pages(1)
            let before = context.pinnedPages()
            try expectEqual(client.update(0x1000, 4096, pages.hole), efault, "no access")
            try expectEqual(client.update(0x1000, 4096, 0x1000), efault, "no area")
            try expectEqual(client.update(0x1000, 8192, pages[0]), efault, "half of it")
            try expectEqual(context.pinnedPages(), before, "pinned pages")
            try expectEqual(client.isFree(0x1000, pages[0]), true, "nothing is mapped")
        },
        ConformanceCase("an address in no area answers 72 and maps nothing", on: [.vduse]) {
            context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.update(0x1000, 4096, 0x1000), 72, "UPDATE")
            try expectEqual(client.isFree(0x1000, pages[0]), true, "nothing is mapped")
        },
        ConformanceCase("an address above all areas is EFAULT", on: [.vduse]) { context in
            let client = try context.open()
            let pages = try Pages(1)
            let above = UInt(1) << 63
            try expectEqual(client.update(0x1000, 4096, above), efault, "UPDATE")
            try expectEqual(client.isFree(0x1000, pages[0]), true, "nothing is mapped")
        },
        ConformanceCase("an UPDATE that fails at IOVA 0 unmaps everything", on: [.vduse]) {
            context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.update(0x5000, 4096, pages[0]), 72, "UPDATE")
            try expectEqual(client.update(0, 4096, UInt(1) << 63), efault, "UPDATE at 0")
            try expectEqual(client.isFree(0x5000, pages[0]), true, "the other one is gone")
        },
        ConformanceCase("read-only memory maps for reading only", on: .pinned) { context in
            let client = try context.open()
            let pages = try Pages(1, .sharedReadOnly)
            try expectEqual(client.update(0x1000, 4096, pages[0], access: 3), efault, "both")
            try expectEqual(client.update(0x1000, 4096, pages[0], access: 2), efault, "writing")
            try expectEqual(client.update(0x1000, 4096, pages[0], access: 1), 72, "reading")
        },
        ConformanceCase("a page mapped twice is counted twice", on: .pinned) { context in
            let client = try context.open()
            let pages = try Pages(1)
            let before = context.pinnedPages()
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
            try expectEqual(client.update(0x9000, 4096, pages[0]), 72, "at another IOVA")
            try expectEqual(context.pinnedPages(), before + 2, "pinned pages")
        },
    ]
}
