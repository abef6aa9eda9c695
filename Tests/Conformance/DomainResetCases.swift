internal import IOVAAllocator
internal import VDPAMemory

extension ConformanceCase {
    /// A domain after its device was reset: what it says is mapped, is.
    static let domainResets: [ConformanceCase] = [
        ConformanceCase("after reset and remap every region can be unmapped and mapped again") {
            context in
            let device = try context.machine.openDevice()
            let domain = try DMADomain(device)
            let empty = Figures(domain, context)
            let pages = try Pages(8)
            // Neighbours by address and by IOVA, a hole on either side, one page and several.
            let places: [(iova: UInt64, first: Int, count: Int)] = [
                (0x1000, 0, 1), (0x2000, 1, 2), (0x8000, 3, 1), (0xa000, 5, 3),
            ]
            func register(_ index: Int) throws(DMAError) -> RegionID {
                let (iova, first, count) = places[index]
                // Safe: the pages outlive the domain's use of them.
                return try unsafe domain.register(
                    pages.buffer(first, count), at: .fixed(IOVA(iova))
                ).relinquish()
            }
            var ids: [RegionID] = []
            for index in places.indices { ids.append(try register(index)) }
            let own = AllocationOptions(placement: .fixed(IOVA(0x4000_0000)))
            var large = try domain.allocate(byteCount: 2 << 20, options: own).relinquish()
            let mapped = Figures(domain, context)
            try expectEqual(mapped.regions, 5, "regions")
            try expectEqual(mapped.mappedBytes, 2 << 20 + 7 * 4096, "mapped")
            try expectEqual(mapped.pinnedPages, context.pins(512 + 7), "pinned")

            try device.reset()
            try domain.remap()
            try expectEqual(Figures(domain, context), mapped, "after remap")
            try expectEqual(domain.statistics.lostExtents, 0, "lost")
            for (index, place) in places.enumerated() {
                try domain.free(ids[index])
                try expectEqual(
                    context.pinnedPages(), mapped.pinnedPages - context.pins(place.count),
                    "without region \(index)")
                ids[index] = try register(index)
                try expectEqual(Figures(domain, context), mapped, "with region \(index) again")
            }
            try domain.free(large)
            try expectEqual(context.pinnedPages(), context.pins(7), "without the large one")
            large = try domain.allocate(byteCount: 2 << 20, options: own).relinquish()
            try expectEqual(Figures(domain, context), mapped, "with the large one again")

            for id in ids + [large] { try domain.free(id) }
            try expectEqual(Figures(domain, context), empty, "after all are free")
        }
    ]
}

/// What the domain says it holds, and what the kernel does.
private struct Figures: Equatable {
    let regions, extents, quarantinedExtents: Int
    let regionBytes, mappedBytes, freeBytes, largestHoleBytes: UInt64
    let pinnedPages: Int

    init(_ domain: DMADomain, _ context: Context) {
        let statistics = domain.statistics
        regions = statistics.regions
        extents = statistics.extents
        quarantinedExtents = statistics.quarantinedExtents
        regionBytes = statistics.regionBytes
        mappedBytes = statistics.mappedBytes
        freeBytes = statistics.freeBytes
        largestHoleBytes = statistics.largestHoleBytes
        pinnedPages = context.pinnedPages()
    }
}
