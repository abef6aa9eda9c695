import IOVAAllocator
import Testing

/// Several usable ranges that come and go, and the room that this takes.
@Suite struct UsableRangeTests {
    private func page(_ number: UInt64, _ count: UInt64 = 1) -> IOVARange {
        IOVARange(first: number << 12, last: (number + count) << 12 - 1)
    }

    private func holes(_ space: borrowing IOVASpace) -> [IOVARange] {
        var holes: [IOVARange] = []
        space.forEachHole { holes.append($0) }
        return holes
    }

    @Test("ranges that touch are one hole, and one region may lie across their border")
    func acrossTheBorder() throws {
        var space = try IOVASpace(usable: [page(10, 4)], regionCapacity: 4, magazine: .off)
        try space.addUsable(page(20, 4))
        try space.addUsable(page(14, 6))
        #expect(holes(space) == [page(10, 14)])
        let across = try space.allocate(byteCount: 4 << 12, placement: .fixed(page(12).first))
        let found = space.entry(containing: across.range.first)
        let met = try #require(found)
        for range in [page(10, 4), page(14, 6)] {
            let before = Snapshot(space)
            #expect(throws: IOVASpaceError.overlap(range, with: met)) {
                try space.withdrawUsable(range)
            }
            #expect(Snapshot(space) == before)
        }
        // What the region does not reach may go, be it parts of two ranges.
        try space.withdrawUsable(page(18, 4))
        try space.free(across.handle)
        #expect(holes(space) == [page(10, 8), page(22, 2)])
        try space.withdrawUsable(page(10, 8))
        try space.withdrawUsable(page(22, 2))
        #expect(space.freeByteCount == 0 && space.invariantViolation() == nil)
        let outside = space.entry(containing: IOVA(0))
        #expect(outside?.range == .all && outside?.kind == .unusable)
    }

    @Test("a magazine that holds a range on either side of a border keeps neither from going")
    func cachedAcrossTheBorder() throws {
        var space = try IOVASpace(
            usable: [page(10, 4), page(14, 4)], regionCapacity: 4,
            magazine: IOVAMagazineLimits(ranges: 32, byteCount: .max))
        let regions = try (0..<4).map { _ in try space.allocate(byteCount: 2 << 12) }
        for region in regions { try space.free(region.handle) }
        #expect(space.cachedByteCount == 8 << 12)
        try space.withdrawUsable(page(10, 4))
        #expect(holes(space) == [page(14, 4)] && space.cachedByteCount == 0)
    }

    @Test("what is usable already is named, clipped to what was asked, whatever is there")
    func alreadyUsable() throws {
        var space = try IOVASpace(
            usable: [page(10, 4), page(20, 4)], regionCapacity: 4)
        _ = try space.allocate(byteCount: 4096)
        try space.reserve(page(22, 1), fixedPlacement: .guarded)
        let before = Snapshot(space)
        for (asked, met) in [
            (page(8, 4), page(10, 2)), (page(8, 30), page(10, 4)), (page(11, 2), page(11, 2)),
            (page(13, 10), page(13, 1)), (page(14, 10), page(20, 4)), (page(22, 5), page(22, 2)),
            (.all, page(10, 4)),
        ] as [(IOVARange, IOVARange)] {
            let error = IOVASpaceError.alreadyUsable(asked, met: met)
            #expect(throws: error) { try space.addUsable(asked) }
            #expect(error.description.contains("\(met)"))
        }
        #expect(Snapshot(space) == before)
        try space.addUsable(page(14, 6))
        #expect(space.invariantViolation() == nil)
    }

    @Test("a congruence that is not of whole granules is refused, for every placement")
    func crookedCongruence() throws {
        var space = try IOVASpace(usable: [page(10, 4)], regionCapacity: 4)
        let before = Snapshot(space)
        for placement in [
            .anywhere(), .anywhere(.bestFit), .within(page(10, 4)), .fixed(page(10).first),
        ] as [IOVAPlacement] {
            for address in [1, 0x1800, 0x7f00_0000_0fff] as [UInt64] {
                let error = IOVASpaceError.badCongruence(address, granule: 4096)
                #expect(throws: error) {
                    _ = try space.allocate(
                        byteCount: 4096, placement: placement, congruentTo: address)
                }
                #expect(throws: error) {
                    _ = try space.allocate(
                        byteCount: 4096, placement: placement, congruentTo: address,
                        guardGaps: .behind(1))
                }
                #expect(error.description.contains("granule"))
            }
        }
        #expect(Snapshot(space) == before)
        // With a cached range at hand too, which would serve any congruence below a granule.
        try space.free(try space.allocate(byteCount: 4096).handle)
        #expect(throws: IOVASpaceError.badCongruence(1, granule: 4096)) {
            _ = try space.allocate(byteCount: 4096, congruentTo: 1)
        }
    }

    @Test("adding takes exactly the entries that it leaves: the last one will do, none will not")
    func addAtTheLimit() throws {
        // 2 entries for the addresses outside, 4 for regions; a range between takes one more.
        for spare in [0, 1] {
            var space = try IOVASpace(
                usable: [page(10, 4)], regionCapacity: 4, reservationCapacity: spare,
                magazine: .off)
            for number in 10..<14 as Range<UInt64> {
                _ = try space.allocate(byteCount: 4096, placement: .fixed(page(number).first))
            }
            let before = Snapshot(space)
            // At the border of the unusable addresses an entry shrinks, and none is needed.
            try space.addUsable(page(14, 2))
            try space.withdrawUsable(page(14, 2))
            try space.addUsable(page(8, 2))
            try space.withdrawUsable(page(8, 2))
            #expect(Snapshot(space) == before)
            let full = IOVASpaceError.entriesExhausted(entryCapacity: 6 + spare)
            if spare == 0 {
                #expect(throws: full) { try space.addUsable(page(20)) }
                #expect(Snapshot(space) == before)
            } else {
                try space.addUsable(page(20))
                #expect(throws: full) { try space.addUsable(page(30)) }
                // To fill the addresses between two ranges sets an entry free.
                try space.addUsable(page(14, 6))
                try space.addUsable(page(30))
            }
            #expect(space.invariantViolation() == nil)
        }
    }

    @Test("adding over reservations counts their pieces, and those that it joins to others")
    func addOverReservations() throws {
        // A reservation over the whole range leaves no hole, but takes an entry.
        var space = try IOVASpace(
            usable: [page(10, 4)], regionCapacity: 1, reservationCapacity: 1, magazine: .off)
        try space.reserve(page(12, 6), fixedPlacement: .guarded)
        let before = Snapshot(space)
        // [12,13] is an entry already, and grows: no more entries than before.
        try space.addUsable(page(14, 2))
        #expect(space.entry(containing: page(15).first)?.range == page(12, 4))
        try space.withdrawUsable(page(14, 2))
        #expect(Snapshot(space) == before)
        // Apart from it, the range and the reservation in it would take two more; there is one.
        #expect(throws: IOVASpaceError.entriesExhausted(entryCapacity: 4)) {
            try space.addUsable(page(16, 4))
        }
        #expect(Snapshot(space) == before)
        try space.cancelReservation(page(12, 6), fixedPlacement: .guarded)
        try space.addUsable(page(16, 4))
        #expect(space.invariantViolation() == nil)
    }

    @Test("withdrawing takes exactly the entries that it leaves, also where it cuts a reservation")
    func withdrawAtTheLimit() throws {
        var space = try IOVASpace(
            usable: [page(10, 10)], regionCapacity: 1, reservationCapacity: 1, magazine: .off)
        try space.reserve(page(11, 7), fixedPlacement: .placeable)
        let before = Snapshot(space)
        // The reservation in two and the range between: two more, where one is left.
        #expect(throws: IOVASpaceError.entriesExhausted(entryCapacity: 4)) {
            try space.withdrawUsable(page(13, 2))
        }
        #expect(Snapshot(space) == before)
        // Up to the reservation's end: one more.
        try space.withdrawUsable(page(15, 3))
        #expect(throws: IOVASpaceError.entriesExhausted(entryCapacity: 4)) {
            try space.withdrawUsable(page(12))
        }
        // From end to end: fewer.
        try space.withdrawUsable(page(10, 5))
        try space.withdrawUsable(page(18, 2))
        #expect(space.freeByteCount == 0 && space.invariantViolation() == nil)
        // The reservation is on record still.
        try space.addUsable(page(10, 10))
        #expect(Snapshot(space) == before)
    }
}
