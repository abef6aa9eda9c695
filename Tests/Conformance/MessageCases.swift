internal import CVhostVDPA

private let einval = Int(-EINVAL)
private let efault = Int(-EFAULT)

extension ConformanceCase {
    /// The form of messages: vhost_chr_write_iter.
    static let messages: [ConformanceCase] = [
        ConformanceCase("an UPDATE before SET_OWNER is EFAULT") { context in
            let client = try context.openUnowned()
            let pages = try Pages(1)
            try expectEqual(client.update(0x1000, 4096, pages[0]), efault, "UPDATE")
            try expectEqual(client.setOwner(), 0, "SET_OWNER")
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE by the owner")
        },
        ConformanceCase("an INVALIDATE is EFAULT until its address space exists") { context in
            let client = try context.open()
            try expectEqual(client.invalidate(0x1000, 4096), efault, "INVALIDATE on a fresh file")
            try expectEqual(client.batchBegin(), 72, "BATCH_BEGIN")
            try expectEqual(client.invalidate(0x1000, 4096), 72, "INVALIDATE after BATCH_BEGIN")
            try expectEqual(client.batchEnd(), 72, "BATCH_END")
        },
        ConformanceCase("an UPDATE of size 0 is EINVAL") { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.update(0x1000, 0, pages[0]), einval, "UPDATE")
            let unowned = Message.v2(2, 0x1000, 0, pages[0])
            try expectEqual(client.write(unowned), einval, "UPDATE once more")
        },
        ConformanceCase("a write of 39 bytes is EINVAL, of 40 bytes a message") { context in
            let client = try context.open()
            let pages = try Pages(1)
            let message = Message.v2(2, 0x1000, 4096, pages[0])
            for count in [0, 3, 4, 7, 8, 39] {
                try expectEqual(client.write(Array(message[..<count])), einval, "\(count) bytes")
            }
            try expectEqual(client.isFree(0x1000, pages[0]), true, "nothing was mapped")
            try expectEqual(client.write(Array(message[..<40])), 72, "40 bytes")
            try expectEqual(client.isFree(0x1000, pages[0]), false, "the page is mapped")
        },
        ConformanceCase("of two messages in one write only the first counts") { context in
            let client = try context.open()
            let pages = try Pages(2)
            let both =
                Message.v2(2, 0x1000, 4096, pages[0]) + Message.v2(2, 0x2000, 4096, pages[1])
            try expectEqual(client.write(both), 72, "write of 144 bytes")
            try expectEqual(client.isFree(0x1000, pages[0]), false, "the first is mapped")
            try expectEqual(client.isFree(0x2000, pages[1]), true, "the second is not")
        },
        ConformanceCase("a message of an unknown version is EINVAL") { context in
            let client = try context.open()
            let pages = try Pages(1)
            for version in [UInt32(0), 3, .max] {
                var message = Message.v2(2, 0x1000, 4096, pages[0])
                message.replaceSubrange(0..<4, with: Message.bytes(version))
                try expectEqual(client.write(message), einval, "version \(version)")
            }
        },
        ConformanceCase("a message of version 1 works and its hole is ignored") { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.write(Message.v1(2, 0x1000, 4096, pages[0])), 72, "UPDATE")
            try expectEqual(client.isFree(0x1000, pages[0]), false, "the page is mapped")
            try expectEqual(client.write(Message.v1(3, 0x1000, 4096, 0)), 72, "INVALIDATE")
            try expectEqual(client.isFree(0x1000, pages[0]), true, "the page is free")
        },
        ConformanceCase("a message of another type is EFAULT") { context in
            let client = try context.open()
            try expectEqual(client.batchBegin(), 72, "BATCH_BEGIN")
            try expectEqual(client.batchEnd(), 72, "BATCH_END")
            for type: UInt8 in [0, 1, 4, 7, 255] {
                let message = Message.v2(type, 0x1000, 4096, 0)
                try expectEqual(client.write(message), efault, "type \(type)")
            }
        },
        ConformanceCase("a version 2 message works with no backend feature") { context in
            let client = try context.openUnowned()
            try expectEqual(client.setOwner(), 0, "SET_OWNER")
            let pages = try Pages(1)
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
        },
        ConformanceCase("permissions read, write and both are taken") { context in
            let client = try context.open()
            let pages = try Pages(3)
            for access: UInt8 in 1...3 {
                let iova = UInt64(access) * 0x1000
                try expectEqual(
                    client.update(iova, 4096, pages[Int(access) - 1], access: access), 72,
                    "access \(access)")
            }
        },
        ConformanceCase(
            "a senseless permission is taken where no IOMMU is",
            on: [.sim, .simNoBatch, .vduse]
        ) { context in
            let client = try context.open()
            let pages = try Pages(1)
            for access: UInt8 in [0, 4, 255] {
                try expectEqual(
                    client.update(0x1000, 4096, pages[0], access: access), 72, "access \(access)")
                try expectEqual(client.invalidate(0x1000, 4096), 72, "INVALIDATE")
            }
        },
        ConformanceCase("a senseless permission is EFAULT behind an IOMMU", on: [.iommu]) {
            context in
            let client = try context.open()
            let pages = try Pages(1)
            let before = context.pinnedPages()
            for access: UInt8 in [0, 4, 255] {
                try expectEqual(
                    client.update(0x1000, 4096, pages[0], access: access), efault,
                    "access \(access)")
            }
            try expectEqual(context.pinnedPages(), before, "pinned pages")
            try expectEqual(client.isFree(0x1000, pages[0]), true, "nothing is mapped")
        },
    ]
}
