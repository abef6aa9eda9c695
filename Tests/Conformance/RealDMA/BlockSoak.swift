internal import TestSupport
internal import VDPAMemory
internal import VhostVDPA
internal import VirtioDriver

extension ConformanceCase {
    /// Not on VDUSE: its daemon does not survive messages under load.
    static let blockSoak = ConformanceCase(
        "DMA: soak: regions come and go, are attached and remapped, under mixed transfers",
        on: [.sim, .simNoBatch, .iommu]
    ) { context in
        // VDPA_SOAK_SECONDS of each profile: half a minute in the VM, ten with `make soak`.
        let usual = context.isKernel ? 10 : 2
        let seconds = TestKnobs.count("VDPA_SOAK_SECONDS", usual)
        let seed = TestKnobs.seed(0x50a4)
        let soak = try BlockSoak(context, seed: seed)
        do {
            try soak.run(seconds: seconds)
        } catch {
            throw ConformanceFailure(description: "VDPA_SEED=\(seed): \(error)")
        }
        context.note("soak of \(seconds) s: \(soak.summary)")
    }
}

/// Transfers that never stop for long, over memory that does.
private final class BlockSoak {
    private let rig: BlockRig
    private let work: BlockWorkload
    private let source: ChangingSource
    private let second: VDPADevice
    private let pages: Pages
    private var isAttached = false
    private var counts: [String: Int] = [:]

    init(_ context: Context, seed: UInt64) throws {
        pages = try Pages(256)
        rig = try BlockRig(
            context, domain: .init(unmapping: .deferred(maximumBytes: 1 << 20, maximumExtents: 32)))
        second = try context.machine.openDevice(.network)
        source = ChangingSource(rig.block)
        for _ in 0..<12 { try source.add(byteCount: 64 << 10, .shared) }
        work = BlockWorkload(rig.block, source, area: Context.area, seed: seed)
        work.maximumByteCount = 256 << 10
    }

    var summary: String {
        let rows = counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        return "\(work.transferCount) transfers, \(work.byteCount >> 20) MiB verified, "
            + "\(rig.domain.statistics.messages) messages; " + rows.joined(separator: ", ")
    }

    func run(seconds: Int) throws {
        let deadline = Deadline(milliseconds: 1000 * seconds)
        try work.prepare()
        while !deadline.isPast {
            let depth = work.random.pick([1, 4, 16])
            for _ in 0..<8 { try work.step(depth: depth) }
            try change()
        }
        try work.verify()
        try detach()
        try rig.block.close()
        try source.freeAll(rig.domain)
        try rig.domain.flush()
        try rig.domain.trim()
        try expectEqual(rig.domain.statistics.mappedBytes, 0, "mapped at the end")
        try expectEqual(rig.domain.statistics.failedFrees, 0, "failed frees")
    }

    private func count(_ what: String) { counts[what, default: 0] += 1 }

    /// One thing that happens to the memory, most of it with transfers in flight.
    private func change() throws {
        switch work.random.weighted([8, 8, 4, 3, 2, 1]) {
        case 0:
            try source.add(
                byteCount: work.random.pick([4096, 16 << 10, 64 << 10, 128 << 10]),
                work.random.pick([.shared, .dedicated]))
            count("allocated")
        case 1:
            guard let block = source.removable(&work.random) else { return }
            // In flight: refused, or waited for.
            if rig.block.uses(block.range), work.random.chance(oneIn: 2) {
                try rig.block.expectInFlight(block.id)
                count("refused")
                return
            }
            var failure: (any Error)?
            try rig.block.free(block.id, drainingFor: 20_000) { completions in
                do { try self.work.take(completions) } catch { failure = failure ?? error }
            }
            if let failure { throw failure }
            source.forget(block.id)
            count("freed")
        case 2: try registerAndUnregister()
        case 3: try isAttached ? detach() : attach()
        case 4:
            try rig.domain.flush()
            count("flushed")
        default: try remap()
        }
    }

    /// A batch of the caller's memory, mapped and unmapped beside the transfers.
    private func registerAndUnregister() throws {
        let ids = try rig.domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            for index in 0..<8 {
                // Safe: the pages outlive the domain's use of them.
                ids.append(try unsafe batch.register(pages.buffer(32 * index, 16)))
            }
            return ids
        }
        for _ in 0..<4 { try work.step(depth: 8) }
        try rig.domain.batch { batch throws(DMAError) in
            for id in ids { try batch.free(id) }
        }
        count("registered")
    }

    private func attach() throws {
        try rig.domain.attach(second)
        isAttached = true
        count("attached")
    }

    private func detach() throws {
        guard isAttached else { return }
        try rig.domain.detach(second)
        isAttached = false
        count("detached")
    }

    /// The device reaches nothing meanwhile: it is idle, or reset with what it has.
    private func remap() throws {
        if work.random.chance(oneIn: 2) {
            try work.finish(downTo: 0)
            try rig.domain.remap()
            count("remapped")
        } else {
            let abandoned = try rig.block.restart()
            try expectEqual(abandoned.count, work.outstanding, "transfers given up")
            work.abandonOutstanding()
            try work.verify()
            count("restarted")
        }
    }
}

/// Regions that come and go, each cut to what is asked.
private final class ChangingSource: BufferSource {
    struct Entry {
        let id: RegionID
        let range: IOVARange
        let block: DriverMemory
        var isOut = false
    }

    private let block: VirtioBlock
    private var entries: [Int: Entry] = [:]
    private var next = 0

    init(_ block: VirtioBlock) { self.block = block }

    func add(byteCount: Int, _ isolation: Isolation) throws {
        // At worst each page is an entry of the kernel's table, which has 2048: with what waits in
        // quarantine and what is registered, about 1400.
        guard entries.count < 32 else { return }
        let region = try block.domain.allocate(
            byteCount: byteCount, options: .init(isolation: isolation))
        let memory = DriverMemory(region)
        let range = region.range
        entries[next] = Entry(id: region.relinquish(), range: range, block: memory)
        next += 1
    }

    /// Any entry, in flight or not, while enough are left.
    func removable(_ random: inout SeededGenerator) -> Entry? {
        guard entries.count > 8 else { return nil }
        return random.pick(entries.sorted { $0.key < $1.key }).value
    }

    func forget(_ id: RegionID) {
        if let key = entries.first(where: { $0.value.id == id })?.key { entries[key] = nil }
    }

    func freeAll(_ domain: DMADomain) throws {
        for entry in entries.values { try domain.free(entry.id) }
        entries = [:]
    }

    /// As many blocks as it takes, largest first.
    func take(byteCount: Int, forWriting: Bool) -> [Lease]? {
        var leases: [Lease] = []
        var left = byteCount
        let free = entries.filter { !$0.value.isOut }.sorted {
            ($1.value.block.byteCount, $0.key) < ($0.value.block.byteCount, $1.key)
        }
        for (key, entry) in free where left > 0 {
            let count = min(left, entry.block.byteCount)
            let part = entry.block.part(from: 0, byteCount: count)
            leases.append(Lease(block: part, key: key, pooled: nil))
            left -= count
        }
        guard left == 0 else { return nil }
        for lease in leases { entries[lease.key]?.isOut = true }
        return leases
    }

    func give(_ leases: [Lease]) {
        for lease in leases { entries[lease.key]?.isOut = false }
    }
}
