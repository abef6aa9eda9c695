internal import CBenchmark
internal import IOVAAllocator
internal import VDPAMemory

/// One repetition: all regions mapped, all unmapped.
struct MappingRun {
    struct Phase {
        var ticks: UInt64 = 0
        var messages = 0
        /// Each region's own ticks, where the regions go one by one.
        var singles: [UInt64] = []
        var checksum: UInt64 = 0
    }

    var map = Phase()
    var unmap = Phase()
}

/// The ways to map many small regions of registered memory that the suite `map` compares.
enum MappingWay: String, CaseIterable {
    case oneByOne = "one-by-one"
    case batch
    case coalesced

    func run(
        _ domain: DMADomain, _ memory: borrowing PopulatedMemory, regions: Int
    ) throws(DMAError) -> MappingRun {
        // Safe: the pages are populated and outlive the domain's regions.
        switch self {
        case .oneByOne:
            try Self.runOneByOne(domain, memory, regions)
        case .batch:
            try Self.runBatch(domain, regions) { batch, index throws(DMAError) in
                unsafe try batch.register(memory.page(2 * index))
            }
        case .coalesced:
            try Self.runBatch(domain, regions) { batch, index throws(DMAError) in
                unsafe try batch.register(memory.page(index), isolation: .shared)
            }
        }
    }

    /// Each region's own message. The identifiers are kept, not the owners: an Array holds no
    /// noncopyable elements.
    private static func runOneByOne(
        _ domain: DMADomain, _ memory: borrowing PopulatedMemory, _ regions: Int
    ) throws(DMAError) -> MappingRun {
        var run = MappingRun()
        var ids: [RegionID] = []
        ids.reserveCapacity(regions)
        run.map.singles.reserveCapacity(regions)
        run.unmap.singles.reserveCapacity(regions)
        var messages = domain.messageCount
        for index in 0..<regions {
            let start = cbench_ticks_begin()
            // Safe: the page is populated and outlives the domain's region. Every other page, so
            // that no two regions touch.
            let region = unsafe try domain.register(memory.page(2 * index))
            run.map.singles.append(cbench_ticks_end() - start)
            run.map.checksum &+= region.iova.rawValue
            ids.append(region.relinquish())
        }
        run.map.messages = domain.messageCount - messages
        messages = domain.messageCount
        for id in ids {
            let start = cbench_ticks_begin()
            try domain.free(id)
            run.unmap.singles.append(cbench_ticks_end() - start)
        }
        run.unmap.messages = domain.messageCount - messages
        run.unmap.checksum = UInt64(ids.count)
        run.map.ticks = run.map.singles.reduce(0, +)
        run.unmap.ticks = run.unmap.singles.reduce(0, +)
        return run
    }

    /// One batch maps what `add` adds, another unmaps it.
    private static func runBatch(
        _ domain: DMADomain, _ regions: Int,
        _ add: (inout DMABatch, Int) throws(DMAError) -> RegionID
    ) throws(DMAError) -> MappingRun {
        var run = MappingRun()
        var messages = domain.messageCount
        var start = cbench_ticks_begin()
        let ids = try domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            ids.reserveCapacity(regions)
            for index in 0..<regions {
                ids.append(try add(&batch, index))
            }
            return ids
        }
        run.map.ticks = cbench_ticks_end() - start
        run.map.messages = domain.messageCount - messages
        messages = domain.messageCount
        start = cbench_ticks_begin()
        try domain.batch { batch throws(DMAError) in
            for id in ids { try batch.free(id) }
        }
        run.unmap.ticks = cbench_ticks_end() - start
        run.unmap.messages = domain.messageCount - messages
        run.map.checksum = UInt64(Set(ids).count)
        run.unmap.checksum = run.map.checksum
        return run
    }
}
