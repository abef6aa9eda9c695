internal import Glibc
internal import VDPAMemory

extension ConformanceCase {
    /// Entries of the kernel's table and locked memory.
    static let domainBudgets: [ConformanceCase] = [
        ConformanceCase("50000 small regions live on a device with 2048 entries") { context in
            let domain = try context.openDomain()
            // From both nodes: neither has as many large pages by itself.
            let ids = try allocate(50_000, in: domain, AllocationOptions(node: .any))
            let now = domain.statistics
            try expectEqual(now.regions, 50_000, "regions")
            try expectEqual(now.extents <= 10, true, "\(now.extents) extents")
            try expectEqual(now.messages <= 12, true, "\(now.messages) messages")
            try expectEqual(now.entriesAtLeast <= 2048, true, "\(now.entriesAtLeast) entries")
            try expectEqual(
                context.pinnedPages(), context.pins(Int(now.mappedBytes / 4096)), "pinned")
            // Each has bytes of its own.
            for (number, id) in ids.enumerated() {
                // Safe: a live region's memory.
                unsafe try domain.info(id).address.storeBytes(of: number, as: Int.self)
            }
            for (number, id) in ids.enumerated() {
                let word = unsafe try domain.info(id).address.load(as: Int.self)
                guard word != number else { continue }
                throw ConformanceFailure(description: "region \(number) holds \(word)")
            }
            try domain.batch { batch throws(DMAError) in
                for id in ids { try batch.free(id) }
            }
            try domain.trim()
            try expectEqual(domain.statistics.mappedBytes, 0, "mapped")
            try expectEqual(context.pinnedPages(), 0, "pinned at the end")
        },
        ConformanceCase("with 8 MiB of memlock they are refused before any message", on: .pinned) {
            context in
            let domain = try context.openDomain()
            context.machine.setLockedMemoryLimit(8 << 20)
            let error = try context.refusal(.lockedMemoryLimit, domain) { () throws(DMAError) in
                _ = try allocate(5000, in: domain)
            }
            try expectEqual(error.limit, 8 << 20, "limit")
            let needed = error.needed ?? 0
            try expectEqual(needed >= 5000 * 4096, true, "needs \(needed)")
            try expectEqual(error.message.contains("\(needed)"), true, "names the figure")
            try expectEqual(
                error.remedy.contains("ulimit -l \((needed + 1023) / 1024)"), true, "the remedy")
            try expectEqual(context.pinnedPages(), 0, "pinned")
            // The remedy is right, and no byte more is needed.
            context.machine.setLockedMemoryLimit(needed - 4096)
            try context.refusal(.lockedMemoryLimit, domain) { () throws(DMAError) in
                _ = try allocate(5000, in: domain)
            }
            context.machine.setLockedMemoryLimit(needed)
            try expectEqual(try allocate(5000, in: domain).count, 5000, "regions")
        },
        ConformanceCase("more mappings than entries are refused before any message") { context in
            let domain = try context.openDomain()
            let pages = try Pages(4100)
            let error = try context.refusal(.entryLimit, domain) { () throws(DMAError) in
                try register(2049, pages, in: domain)
            }
            try expectEqual(error.needed, 2049, "needed")
            try expectEqual(error.limit, 2048, "limit")
            try expectEqual(error.remedy.contains("max_iotlb_entries"), true, "remedy")
            try expectEqual(context.pinnedPages(), 0, "pinned")
        },
        ConformanceCase("as many mappings as entries are taken", on: .pinned) { context in
            let domain = try context.openDomain()
            let pages = try Pages(4100)
            try register(2048, pages, in: domain)
            try expectEqual(context.pinnedPages(), context.pins(2048), "pinned")
            let other = try Pages(1)
            try context.refusal(.entryLimit, domain) { () throws(DMAError) in
                _ = try unsafe domain.register(other.buffer(0, 1))
            }
        },
        ConformanceCase(
            "scattered memory beyond the entries is tried, and its refusal explained",
            on: .pinned, machines: [.kernel]
        ) { context in
            let domain = try context.openDomain()
            let scattered = try ScatteredPages(8192)
            let kept = try domain.allocate(byteCount: 2 << 20)
            let before = context.pinnedPages()
            let error = try context.refusal(.entryLimit) { () throws(DMAError) in
                _ = try unsafe domain.register(scattered.bytes)
            }
            try expectEqual(error.errno, EFAULT, "errno")
            try expectEqual(error.limit, 2048, "limit")
            try expectEqual(error.message.contains("between 2 and"), true, error.message)
            try expectEqual(context.pinnedPages(), before, "pinned")
            try expectEqual(domain.statistics.regions, 1, "regions")
            // Its lower bound promises nothing, but a part of it fits.
            let part = try unsafe domain.register(
                UnsafeMutableRawBufferPointer(rebasing: scattered.bytes[..<(1000 * 4096)]))
            try expectEqual(context.pinnedPages(), before + 1000, "pinned")
            try part.free()
            try kept.free()
        },
    ]

    private static func allocate(
        _ count: Int, in domain: DMADomain, _ options: AllocationOptions = .init()
    ) throws(DMAError) -> [RegionID] {
        try domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            for _ in 0..<count {
                ids.append(try batch.allocate(byteCount: 4096, options: options))
            }
            return ids
        }
    }

    /// Every other page, so that no two mappings are neighbours.
    private static func register(
        _ count: Int, _ pages: borrowing Pages, in domain: DMADomain
    ) throws(DMAError) {
        var batchRegions: [UnsafeMutableRawBufferPointer] = unsafe []
        for slot in 0..<count { unsafe batchRegions.append(pages.buffer(2 * slot, 1)) }
        let regions = unsafe batchRegions
        try domain.batch { batch throws(DMAError) in
            for slot in 0..<count {
                let place = IOVA(0x100_0000 + UInt64(slot) * 8192)
                _ = try unsafe batch.register(regions[slot], at: .fixed(place))
            }
        }
    }
}

/// Shared memory whose neighbouring pages are, with overwhelming likelihood, no neighbours in
/// physical memory: every other page is touched first, then the rest backwards.
@safe private struct ScatteredPages: ~Copyable {
    let bytes: UnsafeMutableRawBufferPointer

    init(_ count: Int) throws {
        // Safe: a new mapping, unmapped in deinit; all touches are inside it.
        let base = unsafe mmap(
            nil, count * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
        guard let base = unsafe base, unsafe base != MAP_FAILED else {
            throw ConformanceFailure(description: "mmap of \(count) pages: errno \(errno)")
        }
        unsafe bytes = UnsafeMutableRawBufferPointer(start: base, count: count * 4096)
        for page in stride(from: 0, to: count, by: 2) { unsafe bytes[page * 4096] = 1 }
        for page in stride(from: count - 1, to: 0, by: -2) { unsafe bytes[page * 4096] = 1 }
    }

    deinit { _ = unsafe munmap(bytes.baseAddress, bytes.count) }
}
