internal import CBenchmark
internal import Glibc
internal import IOVAAllocator
internal import VDPAMemory
internal import VDPASimulator

/// One repetition of the way `extents`: all regions carved in one batch, freed in another, and what
/// they were carved from unmapped.
struct ExtentRun {
    var map = MappingRun.Phase()
    /// Part of `map`.
    var populationNs: UInt64 = 0
    var unmap = MappingRun.Phase()
    var flush = MappingRun.Phase()

    init(_ domain: DMADomain, regions: Int) throws(DMAError) {
        var ids: [RegionID] = []
        let population = domain.statistics.populationNanoseconds
        map = try Self.phase(domain) { () throws(DMAError) in
            ids = try domain.batch { batch throws(DMAError) in
                var ids: [RegionID] = []
                ids.reserveCapacity(regions)
                for _ in 0..<regions {
                    ids.append(try batch.allocate(byteCount: PageKind.size4KiB.pageBytes))
                }
                return ids
            }
        }
        populationNs = domain.statistics.populationNanoseconds - population
        unmap = try Self.phase(domain) { () throws(DMAError) in
            try domain.batch { batch throws(DMAError) in
                for id in ids { try batch.free(id) }
            }
        }
        flush = try Self.phase(domain) { () throws(DMAError) in try domain.trim() }
        map.checksum = UInt64(Set(ids).count)
        unmap.checksum = UInt64(domain.statistics.regions)
        flush.checksum = domain.statistics.mappedBytes
    }

    private static func phase(
        _ domain: DMADomain, _ body: () throws(DMAError) -> Void
    ) throws(DMAError) -> MappingRun.Phase {
        var phase = MappingRun.Phase()
        let messages = domain.messageCount
        let start = cbench_ticks_begin()
        try body()
        phase.ticks = cbench_ticks_end() - start
        phase.messages = domain.messageCount - messages
        return phase
    }
}

extension MappingRun {
    /// One message by hand over the bytes of so many regions, in memory that the library takes as
    /// it takes it for a shared extent.
    init(rawUpdateOn path: String, regions: Int) throws(BenchmarkError) {
        let byteCount = regions * PageKind.size4KiB.pageBytes
        var result: Int32 = 0
        do throws(DMAError) {
            // A device that only answers: the memory is the library's, the message is not.
            let domain = try DMADomain(.answering())
            let region = try domain.allocate(
                byteCount: byteCount, options: .init(isolation: .dedicated))
            // Safe: the memory lives until the call has unmapped it, and holds as many bytes.
            result = unsafe cbench_raw_update(
                path, region.address, byteCount, &map.ticks, &unmap.ticks)
            try region.free()
        } catch {
            throw BenchmarkError("\(path): \(error)")
        }
        guard result == 0 else {
            // Safe: strerror's text is copied at once.
            let reason = unsafe String(cString: strerror(-result))
            throw BenchmarkError("\(path): an UPDATE of \(byteCount) bytes by hand: \(reason)")
        }
        (map.messages, unmap.messages) = (1, 1)
    }
}
