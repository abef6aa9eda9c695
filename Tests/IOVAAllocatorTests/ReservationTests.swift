import IOVAAllocator
import Testing

/// Reservations where entries are scarce.
@Suite struct ReservationTests {
    private func page(_ number: UInt64, _ count: UInt64 = 1) -> IOVARange {
        IOVARange(first: number * 4096, last: (number + count) * 4096 - 1)
    }

    @Test("freeing regions over reservations never fails, though every other entry is in use")
    func freeWhenExhausted() throws {
        var space = try IOVASpace(
            usable: [page(1, 400)], regionCapacity: 302, reservationCapacity: 2, magazine: .off)
        try space.reserve(page(10, 20), fixedPlacement: .guarded)
        try space.reserve(page(20, 20), fixedPlacement: .placeable)
        let before = Snapshot(space)
        // Over both, so that the free brings two pieces back for one region.
        let over = try space.allocate(
            byteCount: 20 * 4096, placement: .fixed(page(20).first, overReservations: true))
        var filled: [IOVAAllocation] = []
        do {
            while true {
                let page = IOVA(UInt64(50 + filled.count) * 4096)
                filled.append(try space.allocate(byteCount: 4096, placement: .fixed(page)))
            }
        } catch { #expect(error == .entriesExhausted(entryCapacity: 306)) }
        try space.free(over.handle)
        #expect(space.invariantViolation() == nil)
        for allocation in filled { try space.free(allocation.handle) }
        #expect(Snapshot(space) == before)
    }

    @Test("placing over a reservation and freeing, anywhere and often, leaves no pieces behind")
    func noPiecesLeft() throws {
        var space = try IOVASpace(
            usable: [.all], regionCapacity: 4, reservationCapacity: 8, magazine: .off)
        try space.reserve(page(0, 4096), fixedPlacement: .placeable)
        let before = Snapshot(space)
        for number in 0..<4096 as Range<UInt64> {
            let region = try space.allocate(
                byteCount: 4096, placement: .fixed(page(number * 577 % 4096).first))
            try space.free(region.handle)
        }
        #expect(Snapshot(space) == before)
    }

    @Test("a reservation in more pieces than there are entries is refused and changes nothing")
    func manyPieces() throws {
        var space = try IOVASpace(
            usable: (0..<1000).map { page(2 * $0 + 1) }, regionCapacity: 1,
            reservationCapacity: 1100, magazine: .off)
        let before = Snapshot(space)
        #expect(throws: IOVASpaceError.entriesExhausted(entryCapacity: 1103)) {
            try space.reserve(.all, fixedPlacement: .guarded)
        }
        #expect(Snapshot(space) == before)
        try space.reserve(page(0, 100), fixedPlacement: .guarded)
        #expect(space.invariantViolation() == nil)
    }

    @Test("cancelling what covers more pieces than there are entries is refused, and undone")
    func cancelUncovers() throws {
        var space = try IOVASpace(
            usable: [.all], regionCapacity: 1, reservationCapacity: 10, magazine: .off)
        try space.reserve(page(0, 200), fixedPlacement: .guarded)
        for number in 0..<50 as Range<UInt64> {
            try space.reserve(page(1 + 3 * number), fixedPlacement: .placeable)
        }
        let before = Snapshot(space)
        #expect(throws: IOVASpaceError.entriesExhausted(entryCapacity: 13)) {
            try space.cancelReservation(page(0, 200), fixedPlacement: .guarded)
        }
        #expect(Snapshot(space) == before)
        for number in 0..<45 as Range<UInt64> {
            try space.cancelReservation(page(1 + 3 * number), fixedPlacement: .placeable)
        }
        try space.cancelReservation(page(0, 200), fixedPlacement: .guarded)
        #expect(space.invariantViolation() == nil)
    }

    @Test("without room for reservations all regions still fit, and a reservation takes from them")
    func noReservationCapacity() throws {
        var space = try IOVASpace(
            usable: [page(1, 100)], regionCapacity: 10, reservationCapacity: 0, magazine: .off)
        for number in 0..<10 as Range<UInt64> {
            _ = try space.allocate(byteCount: 4096, placement: .fixed(page(2 * number + 1).first))
        }
        let before = Snapshot(space)
        #expect(throws: IOVASpaceError.entriesExhausted(entryCapacity: 12)) {
            try space.reserve(page(60), fixedPlacement: .placeable)
        }
        #expect(throws: IOVASpaceError.entriesExhausted(entryCapacity: 12)) {
            try space.addUsable(page(200))
        }
        #expect(throws: IOVASpaceError.entriesExhausted(entryCapacity: 12)) {
            try space.withdrawUsable(page(60))
        }
        #expect(Snapshot(space) == before)
    }

    @Test("the allocator never chooses a reserved page, whatever the order or alignment")
    func neverChosen() throws {
        var space = try IOVASpace(usable: [page(0, 4)], regionCapacity: 4)
        try space.reserve(page(0), fixedPlacement: .placeable)
        try space.reserve(page(3), fixedPlacement: .guarded)
        #expect(try space.allocate(byteCount: 4096).range == page(1))
        #expect(
            try space.allocate(byteCount: 4096, placement: .anywhere(.highest)).range == page(2))
        #expect(throws: IOVASpaceError.self) { _ = try space.allocate(byteCount: 4096) }
        #expect(
            try space.allocate(byteCount: 4096, placement: .fixed(IOVA(0))).range == page(0))
    }
}
