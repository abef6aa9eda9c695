internal import Glibc
internal import IOVAAllocator
internal import VDPAMemory
internal import VhostVDPA

// A device that somebody else opened. A running VDUSE device has no case: its daemon aborts at a
// DRIVER_OK without rings.

extension ConformanceCase {
    /// What adoption does on the device: owner, features, an empty table, refusal.
    static let adoption: [ConformanceCase] = [
        ConformanceCase("a fresh file is adopted, and a domain on it maps") { context in
            let client = try context.openUnowned()
            do {
                let device = try context.machine.adopt(client.file, duplicating: false)
                let domain = try DMADomain(device)
                let region = try domain.allocate(byteCount: 2 << 20)
                try expectEqual(context.pinnedPages(), context.pins(512), "pinned")
                try expectEqual(domain.statistics.mappedBytes, 2 << 20, "mapped")
                try region.free()
                try expectEqual(context.pinnedPages(), 0, "after free")
                try context.expectBusy("while the device lives")
            }
            try expectEqual(client.setOwner(), -EBADF, "the file is not the caller's any more")
            try expectEqual(context.openUnowned().setOwner(), 0, "closed with the device")
        },
        ConformanceCase("an owned file is adopted, and its table emptied") { context in
            let client = try context.open()
            let pages = try Pages(4)
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
            try expectEqual(client.update(0x3000, 8192, pages[1]), 72, "UPDATE of 2 pages")
            try expectEqual(context.pinnedPages(), context.pins(3), "pinned before")
            let device = try context.machine.adopt(client.file, duplicating: false)
            try expectEqual(context.pinnedPages(), 0, "pinned after")
            let domain = try DMADomain(device)
            let region = try unsafe domain.register(pages.buffer(0, 4), at: .fixed(IOVA(0x1000)))
            try expectEqual(context.pinnedPages(), context.pins(4), "the addresses are free")
            try region.free()
            try expectEqual(context.pinnedPages(), 0, "after free")
        },
        ConformanceCase("adoption empties every address space", on: .vdpaSim) { context in
            let client = try context.open()
            let pages = try Pages(1)
            for space: UInt32 in [0, 1] {
                try expectEqual(client.update(0x1000, 4096, pages[0], asid: space), 72, "UPDATE")
            }
            try expectEqual(context.pinnedPages(), 2, "pinned before")
            let device = try context.machine.adopt(client.file, duplicating: true)
            try expectEqual(context.pinnedPages(), 0, "pinned after")
            try expectEqual(device.addressSpaceCount, 2, "address spaces")
            for space: UInt32 in [0, 1] {
                try expectEqual(client.isFree(0x1000, pages[0], asid: space), true, "\(space)")
            }
        },
        ConformanceCase("adoption acknowledges the features anew: 1 is not 0", on: .vdpaSim) {
            context in
            let client = try context.open()
            let pages = try Pages(1)
            // As a user without address spaces leaves it: whatever says 1 lands in 0.
            try expectEqual(client.acknowledge(0x6), 0, "MSG_V2 and BATCH alone")
            try expectEqual(client.update(0x1000, 4096, pages[0], asid: 1), 72, "UPDATE of 1")
            try expectEqual(client.isFree(0x1000, pages[0], asid: 0), false, "it is in 0")
            let device = try context.machine.adopt(client.file, duplicating: true)
            let domain = try DMADomain(device, addressSpace: 1)
            let region = try unsafe domain.register(pages.buffer(0, 1), at: .fixed(IOVA(0x1000)))
            try expectEqual(context.pinnedPages(), 1, "pinned")
            try expectEqual(client.isFree(0x1000, pages[0], asid: 0), true, "free in 0")
            try expectEqual(client.isFree(0x1000, pages[0], asid: 1), false, "mapped in 1")
            try region.free()
            try expectEqual(client.isFree(0x1000, pages[0], asid: 1), true, "after free")
        },
        ConformanceCase("adoption ends a batch that was left open", on: .vdpaSim) { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.batchBegin(asid: 1), 72, "BATCH_BEGIN in 1")
            try expectEqual(client.update(0x1000, 4096, pages[0], asid: 1), 72, "UPDATE in 1")
            try expectEqual(client.isFree(0x1000, pages[0]), false, "0 must wait")
            let device = try context.machine.adopt(client.file, duplicating: false)
            try expectEqual(context.pinnedPages(), 0, "pinned")
            let domain = try DMADomain(device)
            let region = try unsafe domain.register(pages.buffer(0, 1), at: .fixed(IOVA(0x1000)))
            try expectEqual(context.pinnedPages(), 1, "0 maps")
            try region.free()
        },
        ConformanceCase("a running device is not adopted, and stays as it was", on: .pinned) {
            context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
            try client.negotiate()
            try expectEqual(client.setStatus(0xf), 0, "DRIVER_OK")
            for duplicating in [false, true] {
                try context.refusal(.deviceUnavailable) { () throws(DMAError) in
                    _ = try context.machine.adopt(client.file, duplicating: duplicating)
                }
                try expectEqual(client.status(), 0xf, "status")
                try expectEqual(context.pinnedPages(), 1, "pinned")
                try expectEqual(client.isFree(0x1000, pages[0]), false, "still mapped")
            }
            try expectEqual(client.setStatus(0), 0, "reset")
            let device = try context.machine.adopt(client.file, duplicating: false)
            try expectEqual(device.status, [], "status of the adopted device")
            try expectEqual(context.pinnedPages(), 0, "emptied")
        },
    ]

    /// What only a descriptor can show; the simulator's files have none.
    static let adoptedDescriptors: [ConformanceCase] = [
        ConformanceCase("a duplicate leaves the original open", machines: [.kernel]) { context in
            let client = try context.openUnowned()
            do {
                let device = try context.machine.adopt(client.file, duplicating: true)
                let domain = try DMADomain(device)
                let region = try domain.allocate(byteCount: 2 << 20)
                try expectEqual(context.pinnedPages(), context.pins(512), "pinned")
                try expectEqual(client.setOwner(), -EBUSY, "both are one file")
                try region.free()
            }
            try expectEqual(client.status(), 0, "the original answers")
            try context.expectBusy("while the original is open")
            try expectEqual(client.file.close(), 0, "close")
            try expectEqual(context.openUnowned().setOwner(), 0, "closed with the original")
        },
        ConformanceCase("a duplicate outlives the original", machines: [.kernel]) { context in
            let client = try context.openUnowned()
            do {
                let device = try context.machine.adopt(client.file, duplicating: true)
                try expectEqual(client.file.close(), 0, "close")
                let domain = try DMADomain(device)
                let region = try domain.allocate(byteCount: 2 << 20)
                try expectEqual(context.pinnedPages(), context.pins(512), "pinned")
                try context.expectBusy("while the duplicate is open")
                try region.free()
                try expectEqual(context.pinnedPages(), 0, "after free")
            }
            try expectEqual(context.openUnowned().setOwner(), 0, "closed with the duplicate")
        },
        ConformanceCase(
            "a descriptor of another file is refused, and stays as it was", on: [.sim],
            machines: [.kernel]
        ) { context in
            for isEventFile in [false, true] {
                let other = try Event(isEventFile: isEventFile)
                let flags = fcntl(other.number, F_GETFD)
                for duplicating in [false, true] {
                    try context.refusal(.invalidArgument) { () throws(DMAError) in
                        _ = try VDPADevice(adopting: other.number, duplicating: duplicating)
                    }
                    try expectEqual(fcntl(other.number, F_GETFD), flags, "open, same flags")
                }
            }
        },
    ]
}

extension Context {
    fileprivate func expectBusy(_ what: String, line: UInt = #line) throws {
        switch machine.open() {
        case .success(let file):
            file.close()
            throw ConformanceFailure(description: "\(what): a second open (line \(line))")
        case .failure(let error): try expectEqual(error, .busy, what, line: line)
        }
    }
}
