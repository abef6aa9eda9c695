internal import CVhostVDPA
internal import VhostVDPA

private let efault = Int(-EFAULT)

extension ConformanceCase {
    /// open, owner, reset, close.
    static let lifeCycle: [ConformanceCase] = [
        ConformanceCase("a second open is EBUSY until the first is closed") { context in
            let first = try context.openUnowned()
            switch context.machine.open() {
            case .success: throw ConformanceFailure(description: "the second open succeeded")
            case .failure(let error): try expectEqual(error, .busy, "the second open")
            }
            try expectEqual(first.setOwner(), 0, "SET_OWNER on the first")
            try expectEqual(first.file.close(), 0, "close")
            try expectEqual(context.openUnowned().setOwner(), 0, "SET_OWNER on the next")
        },
        ConformanceCase("a closed file answers EBADF") { context in
            let client = try context.open()
            try expectEqual(client.file.close(), 0, "close")
            try expectEqual(client.file.close(), -EBADF, "close once more")
            try expectEqual(client.setOwner(), -EBADF, "SET_OWNER")
            try expectEqual(client.invalidate(0, 0), Int(-EBADF), "INVALIDATE")
        },
        ConformanceCase("SET_OWNER twice is EBUSY") { context in
            let client = try context.openUnowned()
            try expectEqual(client.setOwner(), 0, "SET_OWNER")
            try expectEqual(client.setOwner(), -EBUSY, "SET_OWNER once more")
        },
        ConformanceCase("RESET_OWNER is EFAULT, ENOTTY or ENOBUFS, and does nothing") { context in
            let client = try context.open()
            try expectEqual(client.call(CVHOST_RESET_OWNER), -EFAULT, "without argument")
            try expectEqual(client.setRing(CVHOST_RESET_OWNER, 0, 0), -ENOTTY, "with a queue")
            try expectEqual(client.setRing(CVHOST_RESET_OWNER, 9999, 0), -ENOBUFS, "with no queue")
            try expectEqual(client.setOwner(), -EBUSY, "SET_OWNER")
        },
        ConformanceCase("SET_LOG_BASE and SET_LOG_FD are ENOTTY, with an owner or without") {
            context in
            let client = try context.openUnowned()
            for _ in 0..<2 {
                try expectEqual(client.set(CVHOST_SET_LOG_BASE, UInt64(0)), -ENOTTY, "LOG_BASE")
                try expectEqual(client.set(CVHOST_SET_LOG_FD, Int32(-1)), -ENOTTY, "LOG_FD")
                _ = client.setOwner()
            }
        },
        ConformanceCase("SET_STATUS 0 keeps the kernel's table") { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
            let pinned = context.pinnedPages()
            try expectEqual(client.setStatus(0), 0, "SET_STATUS 0")
            try expectEqual(context.pinnedPages(), pinned, "pinned pages")
            try expectEqual(client.update(0x1000, 4096, pages[0]), efault, "UPDATE once more")
            try expectEqual(client.invalidate(0, 0), 72, "INVALIDATE everything")
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE after that")
        },
        ConformanceCase("a new open starts with an empty table and no owner") { context in
            let pages = try Pages(1)
            do {
                let client = try context.open()
                try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
                try client.negotiate()
            }
            let client = try context.openUnowned()
            try expectEqual(client.status(), 0, "status")
            try expectEqual(client.setOwner(), 0, "SET_OWNER")
            try expectEqual(client.invalidate(0, 0), efault, "no address space exists")
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
        },
        ConformanceCase("the owner's requests are EPERM without an owner") { context in
            let client = try context.openUnowned()
            let requests = [
                CVHOST_SET_VRING_NUM, CVHOST_SET_VRING_BASE, CVHOST_GET_VRING_BASE,
                CVHOST_VDPA_SET_VRING_ENABLE, CVHOST_VDPA_GET_VRING_GROUP,
                CVHOST_VDPA_SET_GROUP_ASID, CVHOST_SET_VRING_KICK, CVHOST_RESET_OWNER,
                CVHOST_SET_MEM_TABLE, 0x0000_afff,
            ]
            for request in requests {
                let name = "request 0x" + String(request, radix: 16)
                try expectEqual(client.setRing(request, 0, 0), -EPERM, name)
            }
        },
        ConformanceCase("an unknown request is ENOTTY after the owner's and the queue's check") {
            context in
            let client = try context.open()
            try expectEqual(client.setRing(0x4008_af6f, 0, 0), -ENOTTY, "with a queue")
            try expectEqual(client.setRing(0x4008_af6f, 9999, 0), -ENOBUFS, "with no queue")
            try expectEqual(client.call(0x0000_af6f), -EFAULT, "with no argument")
        },
        ConformanceCase("what came after 6.1 is ENOTTY") { context in
            let client = try context.open()
            for request in [CVHOST_VDPA_GET_VRING_DESC_GROUP, CVHOST_VDPA_GET_VRING_SIZE] {
                let name = "request 0x" + String(request, radix: 16)
                try expectEqual(client.getRing(request, 0).result, -ENOTTY, name)
            }
            try expectEqual(client.call(CVHOST_VDPA_RESUME), -EFAULT, "RESUME")
        },
    ]
}
