internal import CVhostVDPA

private let efault = Int(-EFAULT)

extension ConformanceCase {
    /// BATCH_BEGIN and BATCH_END.
    static let batches: [ConformanceCase] = [
        ConformanceCase("a batch maps and unmaps, and unpins at once") { context in
            let client = try context.open()
            let pages = try Pages(8)
            let before = context.pinnedPages()
            try expectEqual(client.batchBegin(), 72, "BATCH_BEGIN")
            for page in 0..<8 {
                let iova = 0x1000 + UInt64(page) * 0x2000
                try expectEqual(client.update(iova, 4096, pages[page]), 72, "UPDATE \(page)")
            }
            if context.profile.pinsMemory {
                try expectEqual(context.pinnedPages(), before + 8, "pinned inside the batch")
            }
            try expectEqual(client.invalidate(0x1000, 4096), 72, "INVALIDATE")
            if context.profile.pinsMemory {
                try expectEqual(context.pinnedPages(), before + 7, "unpinned inside the batch")
            }
            try expectEqual(client.batchEnd(), 72, "BATCH_END")
            try expectEqual(client.isFree(0x1000, pages[0]), true, "the first is free")
            try expectEqual(client.isFree(0x3000, pages[1]), false, "the second is mapped")
        },
        ConformanceCase("BATCH_END without a batch is EFAULT on a fresh file, then 72") { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.batchEnd(), efault, "BATCH_END on a fresh file")
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
            try expectEqual(client.batchEnd(), 72, "BATCH_END")
            try expectEqual(client.batchEnd(), 72, "BATCH_END once more")
        },
        ConformanceCase("BATCH_BEGIN twice is 72 and one BATCH_END ends both") { context in
            let client = try context.open()
            try expectEqual(client.batchBegin(), 72, "BATCH_BEGIN")
            try expectEqual(client.batchBegin(), 72, "BATCH_BEGIN once more")
            try expectEqual(client.batchEnd(), 72, "BATCH_END")
        },
        ConformanceCase("a batch is one address space's alone", on: .vdpaSim) { context in
            let client = try context.open()
            let pages = try Pages(2)
            try expectEqual(client.batchBegin(), 72, "BATCH_BEGIN in 0")
            try expectEqual(client.update(0x1000, 4096, pages[0], asid: 1), efault, "UPDATE in 1")
            try expectEqual(client.batchBegin(asid: 1), efault, "BATCH_BEGIN in 1")
            try expectEqual(client.batchEnd(asid: 1), efault, "BATCH_END in 1")
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE in 0")
            try expectEqual(client.batchEnd(), 72, "BATCH_END in 0")
            try expectEqual(client.update(0x1000, 4096, pages[1], asid: 1), 72, "UPDATE in 1 now")
        },
        ConformanceCase("a refused UPDATE leaves its batch open and the others mapped") { context in
            let client = try context.open()
            let pages = try Pages(2)
            try expectEqual(client.batchBegin(), 72, "BATCH_BEGIN")
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
            try expectEqual(client.update(0x1000, 4096, pages[1]), efault, "an overlap")
            try expectEqual(client.update(0x2000, 4096, pages[1]), 72, "another UPDATE")
            try expectEqual(client.batchEnd(), 72, "BATCH_END")
            try expectEqual(client.isFree(0x1000, pages[0]), false, "the first is mapped")
            try expectEqual(client.isFree(0x2000, pages[1]), false, "the second is mapped")
        },
        ConformanceCase("a batch survives SET_STATUS 0", on: .vdpaSim) { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.batchBegin(), 72, "BATCH_BEGIN")
            try expectEqual(client.setStatus(0), 0, "SET_STATUS 0")
            // Only an open batch for address space 0 makes this fail.
            try expectEqual(client.update(0x1000, 4096, pages[0], asid: 1), efault, "UPDATE in 1")
            try expectEqual(client.batchEnd(), 72, "BATCH_END")
            try expectEqual(client.update(0x1000, 4096, pages[0], asid: 1), 72, "UPDATE in 1 now")
        },
    ]
}
