import IOVAAllocator
import Testing

/// Gaps beside regions: nothing else is placed there, and they go when the region goes.
@Suite struct GuardGapTests {
    private static let usable = IOVARange(first: 0x1_0000, last: 0x4_ffff)

    private func page(_ first: UInt64, _ count: UInt64 = 1) -> IOVARange {
        IOVARange(first: first, last: first + (count << 12 - 1))
    }

    private func space(
        regionCapacity: Int = 16, reservationCapacity: Int = 64
    ) throws(IOVASpaceError) -> IOVASpace {
        try IOVASpace(
            usable: [Self.usable], regionCapacity: regionCapacity,
            reservationCapacity: reservationCapacity)
    }

    @Test("a gap is rounded up to granules, is seen by look-ups and walks, and is not free or used")
    func visible() throws {
        var space = try space()
        let region = try space.allocate(byteCount: 8192, guardGaps: .around(1))
        #expect(region.range == page(0x1_1000, 2))
        for (range, address) in [
            (page(0x1_0000), 0x1_0000), (page(0x1_3000), 0x1_3fff),
        ] as [(IOVARange, UInt64)] {
            let gap = IOVAEntry.gap(range, region.handle, space)
            #expect(space.entry(containing: IOVA(address)) == gap)
            #expect(space.firstOverlap(range) == gap)
        }
        var kinds: [IOVAEntry.Kind?] = []
        space.forEachSpan { _, entry in kinds.append(entry?.kind) }
        #expect(kinds == [.unusable, .guardGap, .region, .guardGap, nil, .unusable])
        #expect(space.guardGapCount == 2 && space.guardByteCount == 8192)
        #expect(space.usedByteCount == 8192 && space.freeByteCount == 0x4_0000 - 0x4000)
        #expect(space.entry(region.handle)?.range == region.range)
        #expect(space.invariantViolation() == nil)
    }

    @Test("no placement lands in a gap: not anywhere, in a window, fixed or over a reservation")
    func closed() throws {
        var space = try space()
        let region = try space.allocate(
            byteCount: 4096, placement: .fixed(IOVA(0x2_0000)), guardGaps: .around(4096))
        for gap in [page(0x1_f000), page(0x2_1000)] {
            let found = IOVAEntry.gap(gap, region.handle, space)
            let met = try #require(found)
            let before = Snapshot(space)
            for order in [IOVASearchOrder.any, .lowest, .highest, .bestFit] {
                #expect(throws: IOVASpaceError.self) {
                    _ = try space.allocate(byteCount: 4096, placement: .within(gap, order))
                }
            }
            #expect(throws: IOVASpaceError.overlap(gap, with: met)) {
                _ = try space.allocate(
                    byteCount: 4096, placement: .fixed(gap.first, overReservations: true))
            }
            #expect(throws: IOVASpaceError.overlap(gap, with: met)) {
                try space.reserve(gap, fixedPlacement: .placeable)
            }
            #expect(throws: IOVASpaceError.overlap(gap, with: met)) {
                try space.withdrawUsable(gap)
            }
            #expect(throws: IOVASpaceError.noSuchRegion) { try space.free(startingAt: gap.first) }
            #expect(Snapshot(space) == before)
        }
        // A neighbour's gap may not lie over a region, nor over a gap.
        for first in [0x1_d000, 0x1_e000, 0x2_2000] as [UInt64] {
            #expect(throws: IOVASpaceError.self) {
                _ = try space.allocate(
                    byteCount: 8192, placement: .fixed(IOVA(first)), guardGaps: .around(4096))
            }
        }
        _ = try space.allocate(
            byteCount: 4096, placement: .fixed(IOVA(0x2_3000)), guardGaps: .around(4096))
        #expect(space.invariantViolation() == nil)
    }

    @Test("the gaps go with the region: freed by handle, by address, or out of quarantine")
    func freed() throws {
        var space = try space()
        let before = Snapshot(space)
        let first = try space.allocate(byteCount: 4096, guardGaps: .around(8192))
        try space.free(first.handle)
        #expect(Snapshot(space) == before)
        let second = try space.allocate(byteCount: 4096, guardGaps: .behind(8192))
        try space.free(startingAt: second.range.first)
        #expect(Snapshot(space) == before)
        let third = try space.allocate(byteCount: 4096, guardGaps: .around(4096))
        try space.quarantine(third.handle)
        #expect(space.guardGapCount == 2 && space.quarantinedByteCount == 4096)
        #expect(throws: IOVASpaceError.noSuchRegion) { try space.free(third.handle) }
        try space.releaseQuarantined(third.handle)
        #expect(Snapshot(space) == before && space.guardByteCount == 0)
    }

    @Test("a region with gaps is never reused from the magazine, and none without gets one")
    func magazine() throws {
        var space = try space()
        let plain = try space.allocate(byteCount: 4096)
        try space.free(plain.handle)
        let guarded = try space.allocate(byteCount: 4096, guardGaps: .behind(4096))
        #expect(space.guardGapCount == 1)
        try space.free(guarded.handle)
        let again = try space.allocate(byteCount: 4096)
        #expect(space.guardGapCount == 0)
        #expect(space.entry(again.handle)?.range.byteCount == 4096)
        #expect(space.invariantViolation() == nil)
    }

    @Test("alignment and congruence are the region's own, whatever the gap before it")
    func aligned() throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 8)
        for order in [IOVASearchOrder.any, .lowest, .highest, .bestFit] {
            let region = try space.allocate(
                byteCount: 4096, alignment: 2 << 20, placement: .anywhere(order),
                congruentTo: 0x5000, guardGaps: IOVAGuardGaps(before: 12_288, behind: 4096))
            #expect(region.range.first.rawValue & (2 << 20 - 1) == 0x5000)
            #expect(region.range.byteCount == 4096)
        }
        #expect(space.invariantViolation() == nil)
    }

    @Test("over reservations gaps are placed as the range is, and what lay there comes back")
    func overReservations() throws {
        var space = try space()
        try space.reserve(page(0x2_0000, 4), fixedPlacement: .placeable)
        try space.reserve(page(0x2_2000, 4), fixedPlacement: .guarded)
        let before = Snapshot(space)
        // The region alone would do: its gap is what meets the guarded reservation.
        #expect(throws: IOVASpaceError.self) {
            _ = try space.allocate(
                byteCount: 4096, placement: .fixed(IOVA(0x2_1000)), guardGaps: .behind(4096))
        }
        #expect(Snapshot(space) == before)
        let region = try space.allocate(
            byteCount: 4096, placement: .fixed(IOVA(0x2_1000), overReservations: true),
            guardGaps: .around(4096))
        #expect(space.guardGapCount == 2 && space.invariantViolation() == nil)
        try space.free(region.handle)
        #expect(Snapshot(space) == before)
    }

    @Test("gaps that reach past the address space are refused, at both ends and by their sum")
    func pastTheEnds() throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 4)
        let before = Snapshot(space)
        let lastPage = IOVA(0 &- 4096)
        #expect(throws: IOVASpaceError.badGuardGaps(.around(4096), byteCount: 4096)) {
            _ = try space.allocate(
                byteCount: 4096, placement: .fixed(IOVA(0)), guardGaps: .around(4096))
        }
        #expect(throws: IOVASpaceError.badGuardGaps(.behind(4096), byteCount: 4096)) {
            _ = try space.allocate(
                byteCount: 4096, placement: .fixed(lastPage), guardGaps: .behind(4096))
        }
        for gaps in [.behind(.max), .around(1 << 63)] as [IOVAGuardGaps] {
            let error = IOVASpaceError.badGuardGaps(gaps, byteCount: 4096)
            #expect(throws: error) {
                _ = try space.allocate(byteCount: 4096, guardGaps: gaps)
            }
            #expect(error.description.contains("smaller gaps"))
        }
        #expect(Snapshot(space) == before)
        let low = try space.allocate(
            byteCount: 4096, placement: .fixed(IOVA(0)), guardGaps: .behind(4096))
        #expect(low.range == page(0))
        let high = try space.allocate(
            byteCount: 4096, placement: .anywhere(.highest), guardGaps: .around(4096))
        #expect(high.range.last == IOVA(.max - 4096))
    }

    @Test("gaps take entries from what is stated for reservations, and their lack is an error")
    func entries() throws {
        // Entries: 4 regions, 2 more than that, and 2 for the addresses outside.
        var space = try IOVASpace(
            usable: [Self.usable], regionCapacity: 4, reservationCapacity: 2, magazine: .off)
        let first = try space.allocate(byteCount: 4096, guardGaps: .around(4096))
        let second = try space.allocate(byteCount: 4096, guardGaps: .behind(4096))
        let before = Snapshot(space)
        #expect(throws: IOVASpaceError.entriesExhausted(entryCapacity: 8)) {
            _ = try space.allocate(byteCount: 4096, guardGaps: .behind(4096))
        }
        #expect(Snapshot(space) == before)
        _ = try space.allocate(byteCount: 4096)
        try space.free(second.handle)
        _ = try space.allocate(byteCount: 4096, guardGaps: .behind(4096))
        try space.free(first.handle)
        #expect(space.invariantViolation() == nil)
    }

    @Test("the window holds the gaps too; where they do not fit, nothing is placed")
    func window() throws {
        var space = try space()
        let window = page(0x2_0000, 3)
        for order in [IOVASearchOrder.any, .lowest, .highest, .bestFit] {
            #expect(throws: IOVASpaceError.self) {
                _ = try space.allocate(
                    byteCount: 8192, placement: .within(window, order), guardGaps: .around(4096))
            }
            let region = try space.allocate(
                byteCount: 4096, placement: .within(window, order), guardGaps: .around(4096))
            #expect(region.range == page(0x2_1000))
            try space.free(region.handle)
        }
    }
}

extension IOVAEntry {
    /// The gap that a space shows at exactly this range, if its owner is the one named.
    fileprivate static func gap(
        _ range: IOVARange, _ owner: IOVAHandle, _ space: borrowing IOVASpace
    ) -> IOVAEntry? {
        guard let entry = space.entry(containing: range.first), entry.kind == .guardGap,
            entry.range == range, entry.handle == owner
        else { return nil }
        return entry
    }
}
