internal import IOVAAllocator
internal import VDPAMemory
internal import VhostVDPA

// Several devices under one domain, and a device's life under it: what the process has written is
// where it was, and the kernel holds what the domain says.

extension ConformanceCase {
    static let domainDevices: [ConformanceCase] = [
        ConformanceCase("a second device gets every mapping, and none when it is gone", on: .pinned)
        {
            context in
            let domain = try context.openDomain()
            let content = try Content(in: domain)
            let alone = context.pinnedPages()
            let second = try context.machine.openSecondDevice()
            try domain.attach(second)
            try expectEqual(domain.attachments.count, 2, "attached")
            try expectEqual(context.pinnedPages(), 2 * alone, "pinned for both")
            let more = try domain.allocate(byteCount: 2 << 20)
            try expectEqual(context.pinnedPages(), 2 * (alone + 512), "a change reaches both")
            try more.free()
            try expectEqual(context.pinnedPages(), 2 * alone, "and its end does")
            try domain.detach(second)
            try expectEqual(context.pinnedPages(), alone, "after detach")
            try content.expectIntact(in: domain)
            try domain.attach(second)
            try expectEqual(context.pinnedPages(), 2 * alone, "attached again")
            try content.free(in: domain)
            try expectEqual(context.pinnedPages(), 0, "after free")
        },
        ConformanceCase("what the second device refuses is undone on the first", on: .pinned) {
            context in
            let domain = try context.openDomain()
            let content = try Content(in: domain)
            let file = try context.machine.openSecond().get()
            try domain.attach(try context.device(over: file))
            // A mapping that the domain does not know of is what the second will refuse.
            let foreign = try Pages(1)
            let raw = Client(file, closes: false)
            try expectEqual(raw.update(0x7000_4000, 4096, foreign[0]), 72, "UPDATE")
            let before = (context.pinnedPages(), domain.statistics.mappedBytes)
            let pages = try Pages(3)
            try context.refusal(.kernelRefused) { () throws(DMAError) in
                _ = try domain.batch { batch throws(DMAError) in
                    _ = try unsafe batch.register(
                        pages.buffer(0, 1), at: .fixed(IOVA(0x7000_0000)))
                    try batch.free(content.large)
                    _ = try unsafe batch.register(
                        pages.buffer(1, 1), at: .fixed(IOVA(0x7000_4000)))
                }
            }
            try expectEqual(context.pinnedPages(), before.0, "pinned")
            try expectEqual(domain.statistics.mappedBytes, before.1, "mapped")
            try expectEqual(domain.statistics.quarantinedExtents, 0, "quarantine")
            try content.expectIntact(in: domain)
            // The addresses are free on both devices, and the region that was to go lives on both.
            let again = try unsafe domain.register(
                pages.buffer(0, 1), at: .fixed(IOVA(0x7000_0000)))
            try expectEqual(context.pinnedPages(), before.0 + 2, "the addresses are free")
            try again.free()
            try content.free(in: domain)
            try expectEqual(context.pinnedPages(), 1, "the other mapping alone")
        },
        ConformanceCase("an attach that is refused half-way leaves nothing there", on: .pinned) {
            context in
            let domain = try context.openDomain()
            let content = try Content(in: domain)
            let alone = context.pinnedPages()
            let file = try context.machine.openSecond().get()
            let second = try context.device(over: file)
            let foreign = try Pages(1)
            let raw = Client(file, closes: false)
            let place = content.registered.rawValue
            try expectEqual(raw.update(place, 4096, foreign[0]), 72, "UPDATE")
            try context.refusal(.kernelRefused) { () throws(DMAError) in
                try domain.attach(second)
            }
            try expectEqual(domain.attachments.count, 1, "attached")
            try expectEqual(context.pinnedPages(), alone + 1, "pinned")
            try expectEqual(raw.invalidate(place, 4096), 72, "INVALIDATE")
            try domain.attach(second)
            try expectEqual(context.pinnedPages(), 2 * alone, "without the obstacle")
            try content.expectIntact(in: domain)
            try content.free(in: domain)
            try expectEqual(context.pinnedPages(), 0, "after free")
        },
        ConformanceCase("reset and remap leave every byte and every mapping") { context in
            let device = try context.machine.openDevice()
            let domain = try DMADomain(device)
            let content = try Content(in: domain)
            let before = (context.pinnedPages(), domain.statistics.mappedBytes)
            for round in 0..<3 {
                try device.reset()
                try domain.remap()
                try expectEqual(domain.needsRemap, false, "round \(round)")
                try expectEqual(context.pinnedPages(), before.0, "pinned, round \(round)")
                try expectEqual(domain.statistics.mappedBytes, before.1, "mapped, round \(round)")
                try content.expectIntact(in: domain)
            }
            try content.free(in: domain)
            try expectEqual(context.pinnedPages(), 0, "after free")
        },
        ConformanceCase("a suspended device keeps its mappings, where it can be suspended") {
            context in
            let device = try context.machine.openDevice()
            let domain = try DMADomain(device)
            let content = try Content(in: domain)
            let before = context.pinnedPages()
            if Set<Profile>.vdpaSim.contains(context.profile) {
                try device.suspend()
            } else {
                try context.refusal(.notSupported, domain) { () throws(DMAError) in
                    try device.suspend()
                }
            }
            // Linux 6.1 knows no RESUME.
            try context.refusal(.notSupported, domain) { () throws(DMAError) in
                try device.resume()
            }
            try expectEqual(context.pinnedPages(), before, "pinned")
            try expectEqual(domain.needsRemap, false, "nothing is lost")
            let more = try domain.allocate(byteCount: 2 << 20)
            try expectEqual(context.pinnedPages(), before + context.pins(512), "a change")
            try more.free()
            try device.reset()
            try domain.remap()
            try content.expectIntact(in: domain)
            try content.free(in: domain)
            try expectEqual(context.pinnedPages(), 0, "after free")
        },
        ConformanceCase("a device is closed, opened again and attached: all is as it was") {
            context in
            var device: VDPADevice? = try context.machine.openDevice()
            let domain = try DMADomain(try device.orFail("device"))
            let content = try Content(in: domain)
            let before = (context.pinnedPages(), domain.statistics.mappedBytes)
            try domain.detach(try device.orFail("device"), unmapping: false)
            device = nil
            try expectEqual(context.pinnedPages(), 0, "closed")
            let again = try context.machine.openDevice()
            try domain.attach(again)
            try expectEqual(context.pinnedPages(), before.0, "pinned")
            try expectEqual(domain.statistics.mappedBytes, before.1, "mapped")
            try content.expectIntact(in: domain)
            try content.free(in: domain)
            try expectEqual(context.pinnedPages(), 0, "after free")
        },
        ConformanceCase("the budget's figures are the kernel's") { context in
            let domain = try context.openDomain()
            context.machine.setLockedMemoryLimit(64 << 20)
            let content = try Content(in: domain)
            let budget = domain.budget
            let pins = context.profile.pinsMemory
            try expectEqual(budget.entryLimit, 2048, "entries")
            try expectEqual(
                (budget.entriesAtLeast...budget.entriesAtMost).contains(3), true,
                "\(budget.entriesAtLeast) to \(budget.entriesAtMost) entries")
            try expectEqual(budget.lockedByteLimit, pins ? 64 << 20 : nil, "limit")
            if pins {
                try expectEqual(
                    budget.lockedBytes, context.machine.pinnedByteCount(), "locked")
                try expectEqual(budget.lockedBytes, domain.statistics.mappedBytes, "mapped")
            }
            try expectEqual(budget.regions, domain.statistics.regions, "regions")
            try content.free(in: domain)
            try expectEqual(context.pinnedPages(), 0, "after free")
        },
    ]
}

/// Regions of three kinds, with bytes of their own.
private struct Content: ~Copyable {
    let small: RegionID
    let large: RegionID
    let external: RegionID
    /// Where the caller's memory is.
    var registered: IOVA { Content.registered }
    private static let registered = IOVA(0x6000_0000)
    private let pages: Pages

    init(in domain: DMADomain) throws {
        let pages = try Pages(3)
        let small = try domain.allocate(byteCount: 12288).relinquish()
        let large = try domain.allocate(byteCount: 2 << 20).relinquish()
        let external = try unsafe domain.register(
            pages.buffer(0, 3), at: .fixed(Content.registered)
        ).relinquish()
        for id in [small, large, external] {
            let info = try domain.info(id)
            for offset in stride(from: 0, to: Int(info.byteCount), by: 8) {
                // Safe: inside a live region.
                unsafe info.address.storeBytes(
                    of: info.range.first.rawValue ^ UInt64(offset), toByteOffset: offset,
                    as: UInt64.self)
            }
        }
        (self.small, self.large, self.external) = (small, large, external)
        self.pages = pages
    }

    func expectIntact(in domain: DMADomain) throws {
        for id in [small, large, external] {
            let info = try domain.info(id)
            let wrong = stride(from: 0, to: Int(info.byteCount), by: 8).first { offset in
                // Safe: inside a live region.
                unsafe info.address.load(fromByteOffset: offset, as: UInt64.self)
                    != info.range.first.rawValue ^ UInt64(offset)
            }
            try expectEqual(wrong, nil, "the bytes of \(info.range)")
        }
    }

    func free(in domain: DMADomain) throws {
        try domain.batch { batch throws(DMAError) in
            for id in [small, large, external] { try batch.free(id) }
        }
        try domain.trim()
    }
}

extension Optional {
    fileprivate func orFail(_ what: String) throws -> Wrapped {
        guard let self else { throw ConformanceFailure(description: "no \(what)") }
        return self
    }
}
