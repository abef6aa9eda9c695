internal import Glibc
internal import VDPAMemory
internal import VhostVDPA

// The domain on a device: what the library says has been done, the kernel has done. VmPin is the
// kernel's own account of what it holds.

extension ConformanceCase {
    /// Opening, mapping, batches, the life of the mappings.
    static let domains: [ConformanceCase] = [
        ConformanceCase("a domain has the device's range and its limits") { context in
            let device = try context.machine.openDevice()
            let domain = try DMADomain(device)
            let bits: UInt64 = context.profile == .iommu ? 1 << 48 - 1 : .max
            try expectEqual(device.iovaRange, IOVARange(first: 0, last: bits), "range")
            try expectEqual(domain.range, device.iovaRange, "the domain's range")
            try expectEqual(device.pinsMemory, context.profile.pinsMemory, "pins")
            try expectEqual(device.entryLimit, 2048, "entries")
            try expectEqual(device.supportsBatching, true, "batches")
            let window = IOVARange(first: 0xfee0_0000, last: 0xfeef_ffff)
            try expectEqual(
                device.reservedWindows.contains(window), context.profile == .iommu, "MSI window")
        },
        ConformanceCase("a region is pinned while it lives, and not a moment longer") { context in
            let domain = try context.openDomain()
            let before = context.pinnedPages()
            for size in [2 << 20, 4 << 20] {
                let region = try domain.allocate(byteCount: size)
                try expectEqual(
                    context.pinnedPages() - before, context.pins(size / 4096), "pinned")
                try expectEqual(domain.statistics.mappedBytes, UInt64(size), "mapped")
                try region.free()
                try expectEqual(context.pinnedPages(), before, "after free")
            }
        },
        ConformanceCase("a batch that the kernel refuses half-way leaves nothing", on: .pinned) {
            context in
            let file = try context.machine.open().get()
            let device = try context.device(over: file)
            let domain = try DMADomain(device)
            let kept = try domain.allocate(byteCount: 2 << 20).relinquish()
            // A mapping that the domain does not know of is what the kernel will refuse.
            let foreign = try Pages(1)
            let raw = Client(file, closes: false)
            try expectEqual(raw.update(0x4000, 4096, foreign[0]), 72, "UPDATE")
            let before = (context.pinnedPages(), domain.statistics.mappedBytes)
            let pages = try Pages(3)
            try context.refusal(.kernelRefused) { () throws(DMAError) in
                _ = try domain.batch { batch throws(DMAError) in
                    _ = try batch.allocate(byteCount: 2 << 20)
                    _ = try unsafe batch.register(pages.buffer(0, 1), at: .fixed(IOVA(0x1000)))
                    _ = try unsafe batch.register(pages.buffer(1, 1), at: .fixed(IOVA(0x4000)))
                    _ = try unsafe batch.register(pages.buffer(2, 1), at: .fixed(IOVA(0x8000)))
                    try batch.free(kept)
                }
            }
            try expectEqual(context.pinnedPages(), before.0, "pinned")
            try expectEqual(domain.statistics.mappedBytes, before.1, "mapped")
            try expectEqual(domain.statistics.regions, 1, "regions")
            try expectEqual(domain.statistics.quarantinedExtents, 0, "quarantine")
            try expectEqual(raw.isFree(0x4000, foreign[0]), false, "the other mapping stays")
            let again = try unsafe domain.register(pages.buffer(0, 3), at: .fixed(IOVA(0x1000)))
            try expectEqual(context.pinnedPages(), before.0 + 3, "the addresses are free")
            try again.free()
            try domain.free(kept)
            try expectEqual(context.pinnedPages(), 1, "the other mapping alone")
        },
        ConformanceCase("remap brings the table back after a reset") { context in
            let device = try context.machine.openDevice()
            let domain = try DMADomain(device)
            let pages = try Pages(4)
            let first = try domain.allocate(byteCount: 2 << 20)
            let second = try unsafe domain.register(pages.buffer(0, 2), at: .fixed(IOVA(0x1000)))
            let small = try domain.allocate(byteCount: 4096)
            let pinned = context.pinnedPages()
            try device.setStatus([])
            try domain.remap()
            try expectEqual(context.pinnedPages(), pinned, "pinned")
            // Occupied as before: the kernel itself says so.
            try context.refusal(.overlap) { () throws(DMAError) in
                _ = try unsafe domain.register(pages.buffer(2, 1), at: .fixed(IOVA(0x2000)))
            }
            try first.free()
            try second.free()
            try small.free()
            try domain.trim()
            try expectEqual(context.pinnedPages(), 0, "after free")
            try domain.remap()
            try expectEqual(domain.statistics.mappedBytes, 0, "nothing comes back")
        },
        ConformanceCase("memory that the device would not map is refused", on: [.vduse]) {
            context in
            let domain = try context.openDomain()
            let ours = try Pages(1, .privateAnonymous)
            try context.refusal(.unsuitableMemory, domain) { () throws(DMAError) in
                _ = try unsafe domain.register(ours.buffer(0, 1))
            }
            let shared = try Pages(1)
            let region = try unsafe domain.register(shared.buffer(0, 1))
            try expectEqual(domain.statistics.mappedBytes, 4096, "mapped")
            try region.free()
        },
        ConformanceCase("two domains on two address spaces of one device", on: .vdpaSim) {
            context in
            let device = try context.machine.openDevice()
            let first = try DMADomain(device)
            let second = try DMADomain(device, addressSpace: 1)
            for space: UInt32 in [0, 1, 2] {
                try context.refusal(.addressSpace) { () throws(DMAError) in
                    _ = try DMADomain(device, addressSpace: space)
                }
            }
            let pages = try Pages(2)
            let here = try unsafe first.register(pages.buffer(0, 2), at: .fixed(IOVA(0x1000)))
            let there = try unsafe second.register(pages.buffer(0, 2), at: .fixed(IOVA(0x1000)))
            try expectEqual(context.pinnedPages(), 4, "counted for each")
            try here.free()
            try expectEqual(context.pinnedPages(), 2, "the other stays")
            try there.free()
            try expectEqual(context.pinnedPages(), 0, "after free")
        },
        ConformanceCase("neighbours of a batch are one message each way") { context in
            let domain = try context.openDomain()
            let pages = try Pages(64)
            let ids = try domain.batch { batch throws(DMAError) in
                var ids: [RegionID] = []
                for page in 0..<64 {
                    ids.append(
                        try unsafe batch.register(
                            pages.buffer(page, 1),
                            at: .fixed(IOVA(0x10_0000 + UInt64(page) * 4096)),
                            isolation: .shared))
                }
                return ids
            }
            try expectEqual(domain.statistics.messages, 1, "UPDATE")
            try expectEqual(context.pinnedPages(), context.pins(64), "pinned")
            for id in ids.dropLast() { try domain.free(id) }
            try expectEqual(domain.statistics.messages, 1, "one still lives")
            try expectEqual(context.pinnedPages(), context.pins(64), "pinned as a whole")
            try domain.free(ids[63])
            try expectEqual(domain.statistics.messages, 2, "INVALIDATE")
            try expectEqual(context.pinnedPages(), 0, "after free")
        },
        ConformanceCase("deferred: nothing is unmapped before the flush") { context in
            let domain = try DMADomain(
                try context.machine.openDevice(),
                options: .init(unmapping: .deferred(maximumBytes: 1 << 30)))
            for _ in 0..<4 { try domain.allocate(byteCount: 2 << 20).free() }
            try expectEqual(context.pinnedPages(), context.pins(2048), "all still mapped")
            try expectEqual(domain.statistics.invalidateMessages, 0, "INVALIDATE")
            try domain.flush()
            try expectEqual(context.pinnedPages(), 0, "after flush")
            try expectEqual(domain.statistics.quarantinedExtents, 0, "quarantine")
        },
    ]
}

extension Context {
    func openDomain() throws -> DMADomain { try DMADomain(try machine.openDevice()) }

    /// A device over a file through which the case sends messages of its own.
    func device(over file: any DeviceFile) throws -> VDPADevice {
        try VDPADevice(
            file: file,
            traits: DeviceTraits(
                name: "the device", mapping: profile.pinsMemory ? .pinned : .virtualAddress
            ) { DeviceTraits.LockedMemory(limit: nil, pinned: 0) })
    }

    /// What so many pages add to VmPin.
    func pins(_ pages: Int) -> Int { profile.pinsMemory ? pages : 0 }

    /// Runs what must be refused for this reason; with a domain given, before any message.
    @discardableResult
    func refusal(
        _ code: DMAError.Code, _ domain: DMADomain? = nil, line: UInt = #line,
        _ body: () throws(DMAError) -> Void
    ) throws -> DMAError {
        let messages = domain?.statistics.messages
        do throws(DMAError) {
            try body()
        } catch {
            try expectEqual(error.code, code, "\(error)", line: line)
            try expectEqual(domain?.statistics.messages, messages, "messages", line: line)
            return error
        }
        throw ConformanceFailure(description: "not refused (line \(line))")
    }
}

extension Pages {
    func buffer(_ first: Int, _ count: Int) -> UnsafeMutableRawBufferPointer {
        // Safe: inside the mapping; the caller keeps this owner for as long as it is used.
        unsafe UnsafeMutableRawBufferPointer(
            start: UnsafeMutableRawPointer(bitPattern: self[first]), count: count * 4096)
    }
}
