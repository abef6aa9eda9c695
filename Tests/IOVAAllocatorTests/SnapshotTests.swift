import IOVAAllocator
import Testing

/// What an operator reads.
@Suite struct SnapshotTests {
    private static let mebibyte: UInt64 = 1 << 20

    @Test(
        "one look tells used, free, cached, quarantined, reserved and guarded, by count and bytes")
    func tallies() throws {
        var space = try IOVASpace(
            usable: [IOVARange(first: 0, last: 64 * Self.mebibyte - 1)], regionCapacity: 16,
            magazine: IOVAMagazineLimits(ranges: 64, byteCount: .max))
        try space.reserve(IOVARange(first: 0, last: 4095), fixedPlacement: .placeable)
        _ = try space.allocate(byteCount: 3 * 4096, guardGaps: .around(4096))
        let quarantined = try space.allocate(byteCount: 2 * Self.mebibyte, alignment: 2 << 20)
        try space.quarantine(quarantined.handle)
        _ = try space.allocate(byteCount: 4096)
        let seen = space.snapshot()
        #expect(seen.regions.count == 2 && seen.regions.byteCount == 4 * 4096)
        #expect(seen.guardGaps.count == 2 && seen.guardGaps.byteCount == 8192)
        #expect(seen.quarantined.count == 1 && seen.quarantined.byteCount == 2 << 20)
        #expect(seen.reserved.count == 1 && seen.reserved.byteCount == 4096)
        #expect(seen.cached.count > 0 && seen.cached.byteCount == space.cachedByteCount)
        let others =
            seen.regions.byteCount + seen.guardGaps.byteCount
            + seen.quarantined.byteCount + seen.reserved.byteCount
        #expect(seen.free.byteCount == 64 * Self.mebibyte - others)
        #expect(seen.regionSizes.count(byteCount: 4096) == 1)
        #expect(seen.regionSizes.count(byteCount: 3 * 4096) == 1)
        #expect(seen.regionSizes.count(byteCount: 2 << 20) == 0)
        #expect(seen.regionSizes.nonempty.map(\.leastByteCount) == [4096, 8192])
        // A value: the same look at the same space is equal, a flush changes what is cached alone.
        #expect(space.snapshot() == seen)
        space.flushMagazine()
        var flushed = seen
        #expect(space.snapshot() != flushed)
        flushed = space.snapshot()
        #expect(flushed.free == seen.free && flushed.holeSizes == seen.holeSizes)
        #expect(flushed.cached.count == 0)
    }

    @Test("ranges in the magazine part no hole and no figure")
    func cachedIsFree() throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 64)
        let empty = space.snapshot()
        let regions = try (0..<64).map { _ in try space.allocate(byteCount: 4096) }
        for region in regions { try space.free(region.handle) }
        let after = space.snapshot()
        #expect(after.cached.count > 0)
        #expect(after.free == empty.free && after.holeSizes == empty.holeSizes)
        #expect(after.free.count == 1 && after.holeSizes.counts[64] == 1)
        #expect(after.holeSizes.nonempty.first?.leastByteCount == nil)
        for alignment in IOVAAlignmentClass.allCases {
            #expect(after.largestHole(alignment) == empty.largestHole(alignment))
            #expect(after.fragmentation(alignment) == 0)
        }
    }

    @Test("fragmentation is what regions cost the largest hole, not what borders do")
    func fragmentation() throws {
        // Two ranges of 8 MiB: nothing would make a hole larger than that.
        let lower = IOVARange(first: 0, last: 8 * Self.mebibyte - 1)
        let upper = IOVARange(first: 1 << 30, last: 1 << 30 + 8 * Self.mebibyte - 1)
        var space = try IOVASpace(usable: [lower, upper], regionCapacity: 16, magazine: .off)
        #expect(space.snapshot().fragmentation() == 0)
        #expect(space.snapshot().largestStretch(.granule) == 8 * Self.mebibyte)
        // The upper range is whole still.
        let middle = try space.allocate(
            byteCount: 4096, placement: .fixed(IOVA(4 * Self.mebibyte)))
        #expect(space.snapshot().fragmentation() == 0)
        _ = try space.allocate(
            byteCount: 2 * Self.mebibyte, placement: .fixed(IOVA(1 << 30 + 3 * Self.mebibyte)))
        // The largest hole is 4 MiB of the 8 that a stretch has.
        #expect(space.snapshot().fragmentation() == 0.5)
        #expect(space.snapshot().fragmentation(.size2MiB) == 0.5)
        // 1 GiB is aligned to 1 GiB, and so is 0.
        #expect(space.snapshot().fragmentation(.size1GiB) == 0.5)
        try space.free(middle.handle)
        #expect(space.snapshot().fragmentation() == 0)
        try space.withdrawUsable(lower)
        // One range: 1 - largest / free, 3 MiB of 6.
        #expect(space.snapshot().fragmentation() == 0.5)
        // The whole rest in use: nothing is free, nothing is fragmented.
        for first in [1 << 30, 1 << 30 + 5 * Self.mebibyte] as [UInt64] {
            _ = try space.allocate(
                byteCount: 3 * Self.mebibyte, placement: .fixed(IOVA(first)))
        }
        #expect(space.snapshot().free.count == 0 && space.snapshot().fragmentation() == 0)
    }

    @Test("a space of 2^64 bytes in use, or free, saturates and wraps nowhere")
    func everything() throws {
        var space = try IOVASpace(usable: [.all], granule: 1, regionCapacity: 2)
        #expect(space.snapshot().free.byteCount == .max)
        #expect(space.snapshot().largestHole(.granule) == .max)
        #expect(space.snapshot().largestStretch(.size1GiB) == .max)
        _ = try space.allocate(byteCount: .max, alignment: 1)
        _ = try space.allocate(byteCount: 1, alignment: 1)
        let full = space.snapshot()
        #expect(full.regions.byteCount == .max && full.regions.count == 2)
        #expect(full.free.count == 0 && full.free.byteCount == 0)
        #expect(full.largestStretch(.granule) == .max && full.fragmentation() == 0)
    }

    @Test("a walk with holes shows every address once, a cached range as part of its hole")
    func spans() throws {
        let usable = IOVARange(first: 0x1_0000, last: 0x1_ffff)
        var space = try IOVASpace(
            usable: [usable], regionCapacity: 8,
            magazine: IOVAMagazineLimits(ranges: 8, byteCount: .max))
        let regions = try (0..<4).map { _ in
            try space.allocate(byteCount: 4096, placement: .anywhere(.lowest))
        }
        try space.free(regions[1].handle)
        try space.free(regions[2].handle)
        #expect(space.cachedByteCount == 8192)
        let cached = IOVARange(first: 0x1_1000, last: 0x1_2fff)
        for range in [cached, IOVARange(first: 0x1_2008, last: 0x1_2008)] {
            var seen: [IOVARange] = []
            space.forEachSpan(overlapping: range) { span, entry in
                #expect(entry == nil)
                seen.append(span)
            }
            #expect(seen == [cached])
        }
        var kinds: [IOVAEntry.Kind?] = []
        space.forEachSpan { _, entry in kinds.append(entry?.kind) }
        #expect(kinds == [.unusable, .region, nil, .region, nil, .unusable])
    }
}
