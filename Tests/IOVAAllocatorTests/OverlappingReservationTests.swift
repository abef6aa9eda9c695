import IOVAAllocator
import Testing

/// Reservations over each other, across the borders of usable ranges, and under regions.
@Suite struct OverlappingReservationTests {
    private typealias Wanted = (range: IOVARange, policy: ReservationPolicy)

    private func page(_ number: UInt64, _ count: UInt64 = 1) -> IOVARange {
        IOVARange(first: number << 12, last: (number + count) << 12 - 1)
    }

    /// Equal, nested, crossing, and across both borders of [10, 20) and [20, 24) and [30, 34).
    private var wanted: [Wanted] {
        [
            (page(12, 4), .guarded), (page(12, 4), .guarded), (page(12, 4), .placeable),
            (page(11, 8), .placeable), (page(13, 1), .guarded), (page(18, 14), .placeable),
            (page(8, 4), .guarded), (page(33, 9), .placeable),
        ]
    }

    private func space() throws(IOVASpaceError) -> IOVASpace {
        try IOVASpace(
            usable: [page(30, 4), page(10, 10), page(20, 4)], regionCapacity: 8,
            reservationCapacity: 64)
    }

    /// What the reservations that are left make of each page, by looking at each.
    private func kind(_ number: UInt64, _ left: [Wanted]) -> IOVAEntry.Kind? {
        let isUsable = (10..<24).contains(number) || (30..<34).contains(number)
        guard isUsable else { return .unusable }
        let covering = left.filter { $0.range.contains(page(number)) }
        if covering.isEmpty { return nil }
        return .reserved(covering.contains { $0.policy == .guarded } ? .guarded : .placeable)
    }

    private func expectPages(
        _ space: borrowing IOVASpace, _ left: [Wanted], _ order: [Int],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for number in 0..<48 as Range<UInt64> {
            #expect(
                space.entry(containing: page(number).first)?.kind == kind(number, left),
                "page \(number), cancelled in the order \(order)", sourceLocation: sourceLocation)
        }
        #expect(space.invariantViolation() == nil, sourceLocation: sourceLocation)
    }

    @Test("cancelled in any order, each page stays reserved until its last reservation goes")
    func anyOrder() throws {
        let count = wanted.count
        // Each rotation, forwards and in strides: every one is first, last, and amid the others.
        for start in 0..<count {
            for stride in [1, 3, 5, 7] {
                let order = (0..<count).map { (start + $0 * stride) % count }
                var space = try space()
                let empty = Snapshot(space)
                for one in wanted { try space.reserve(one.range, fixedPlacement: one.policy) }
                expectPages(space, wanted, [])
                var left = order.map { wanted[$0] }
                while let one = left.first {
                    try space.cancelReservation(one.range, fixedPlacement: one.policy)
                    left.removeFirst()
                    expectPages(space, left, order)
                }
                #expect(Snapshot(space) == empty)
                #expect(throws: IOVASpaceError.noSuchReservation(page(12, 4))) {
                    try space.cancelReservation(page(12, 4), fixedPlacement: .guarded)
                }
            }
        }
    }

    @Test("regions placed over them in between come and go, and uncover what is left by then")
    func regionsInBetween() throws {
        for cancelled in wanted.indices {
            var space = try space()
            for one in wanted { try space.reserve(one.range, fixedPlacement: one.policy) }
            // Across the border of [10, 20) and [20, 24), and over four reservations at once.
            let across = try space.allocate(
                byteCount: 4 << 12, placement: .fixed(page(18).first, overReservations: true))
            let nested = try space.allocate(
                byteCount: 3 << 12, placement: .fixed(page(12).first, overReservations: true),
                guardGaps: .around(4096))
            #expect(space.invariantViolation() == nil)
            var left = wanted
            let one = left.remove(at: cancelled)
            try space.cancelReservation(one.range, fixedPlacement: one.policy)
            #expect(space.entry(across.handle)?.range == page(18, 4))
            try space.free(nested.handle)
            #expect(space.invariantViolation() == nil)
            try space.quarantine(across.handle)
            try space.releaseQuarantined(across.handle)
            expectPages(space, left, [cancelled])
        }
    }

    @Test("a usable range that goes and comes back is under the reservations of that day")
    func rangesInBetween() throws {
        for cancelled in wanted.indices {
            var space = try space()
            for one in wanted { try space.reserve(one.range, fixedPlacement: one.policy) }
            let whole = Snapshot(space)
            // Next to each other, and the middle of what touches.
            for range in [page(10, 10), page(20, 4), page(14, 8)] {
                try space.withdrawUsable(range)
                #expect(space.invariantViolation() == nil)
                try space.addUsable(range)
                #expect(Snapshot(space) == whole)
            }
            try space.withdrawUsable(page(14, 8))
            var left = wanted
            let one = left.remove(at: cancelled)
            try space.cancelReservation(one.range, fixedPlacement: one.policy)
            try space.reserve(page(21, 9), fixedPlacement: .guarded)
            left.append((page(21, 9), .guarded))
            try space.addUsable(page(14, 4))
            try space.addUsable(page(18, 4))
            expectPages(space, left, [cancelled])
        }
    }
}
