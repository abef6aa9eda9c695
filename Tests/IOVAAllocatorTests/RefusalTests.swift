import IOVAAllocator
import Testing

/// Every reason for a refusal, provoked; the space is afterwards what it was before.
@Suite struct RefusalTests {
    private static let usable = IOVARange(first: 0x1000, last: 0xffff)
    private static let policyRange = IOVARange(first: 0x8000, last: 0x8fff)

    /// One region at 0x1000, one in quarantine at 0x2000, a guarded reservation at 0x8000.
    private func makeSpace(
        regionCapacity: Int = 8, reservationCapacity: Int = 64
    ) throws -> Fixture {
        var space = try IOVASpace(
            usable: [Self.usable], regionCapacity: regionCapacity,
            reservationCapacity: reservationCapacity)
        let region = try space.allocate(byteCount: 4096)
        let quarantined = try space.allocate(byteCount: 4096)
        try space.quarantine(quarantined.handle)
        try space.reserve(Self.policyRange, fixedPlacement: .guarded)
        return Fixture(space: space, region: region, quarantined: quarantined)
    }

    private func expectRefusal(
        _ expected: IOVASpaceError, _ fixture: consuming Fixture,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (inout Fixture) throws(IOVASpaceError) -> Void
    ) {
        var fixture = fixture
        let before = Snapshot(fixture.space)
        var seen: IOVASpaceError?
        do { try body(&fixture) } catch { seen = error }
        #expect(seen == expected, sourceLocation: sourceLocation)
        let after = Snapshot(fixture.space)
        #expect(after == before, "a refusal changed the space", sourceLocation: sourceLocation)
        #expect(after.violation == nil, sourceLocation: sourceLocation)
        #expect(!expected.description.isEmpty, sourceLocation: sourceLocation)
    }

    @Test("a size of nothing, or past 2^64, is refused")
    func badSize() throws {
        for size in [0, .max, 0 &- 4095] as [UInt64] {
            expectRefusal(.badSize(byteCount: size), try makeSpace()) { it throws(IOVASpaceError) in
                _ = try it.space.allocate(byteCount: size)
            }
        }
        expectRefusal(.badSize(byteCount: 8192), try makeSpace()) { it throws(IOVASpaceError) in
            _ = try it.space.allocate(byteCount: 8192, placement: .fixed(IOVA(0 &- 4096)))
        }
    }

    @Test("an alignment that is no power of two is refused")
    func badAlignment() throws {
        for alignment in [0, 3, 4097, .max] as [UInt64] {
            expectRefusal(.badAlignment(alignment), try makeSpace()) { it throws(IOVASpaceError) in
                _ = try it.space.allocate(byteCount: 4096, alignment: alignment)
            }
        }
        #expect(throws: IOVASpaceError.badAlignment(12)) {
            _ = try IOVASpace(usable: [], granule: 12, regionCapacity: 1)
        }
        #expect(throws: IOVASpaceError.badAlignment(0)) {
            _ = try IOVASpace(usable: [], granule: 0, regionCapacity: 1)
        }
    }

    @Test("capacities out of range are refused at creation")
    func badCapacity() {
        for capacity in [0, -1, 1 << 28] {
            #expect(throws: IOVASpaceError.badCapacity(capacity)) {
                _ = try IOVASpace(usable: [], regionCapacity: capacity)
            }
        }
        #expect(throws: IOVASpaceError.badCapacity(-1)) {
            _ = try IOVASpace(usable: [], regionCapacity: 1, reservationCapacity: -1)
        }
    }

    @Test("what is not made of whole granules is refused")
    func misaligned() throws {
        let crooked = IOVARange(first: 0x9001, last: 0x9fff)
        let short = IOVARange(first: 0x9000, last: 0x9ffe)
        for range in [crooked, short] {
            let error = IOVASpaceError.misaligned(range, granule: 4096)
            expectRefusal(error, try makeSpace()) { it throws(IOVASpaceError) in
                try it.space.reserve(range, fixedPlacement: .placeable)
            }
            expectRefusal(error, try makeSpace()) { it throws(IOVASpaceError) in
                try it.space.addUsable(range)
            }
            expectRefusal(error, try makeSpace()) { it throws(IOVASpaceError) in
                try it.space.withdrawUsable(range)
            }
        }
        let placed = IOVARange(first: 0x9001, last: 0xa000)
        expectRefusal(.misaligned(placed, granule: 4096), try makeSpace()) {
            it throws(IOVASpaceError) in
            _ = try it.space.allocate(byteCount: 4096, placement: .fixed(placed.first))
        }
    }

    @Test("no hole that holds the request: the largest is named")
    func noSpace() throws {
        // 0x3000-0x7fff and 0x9000-0xffff are free.
        let error = IOVASpaceError.noSpace(
            byteCount: 0x8000, alignment: 4096, largestHole: 0x7000)
        expectRefusal(error, try makeSpace()) { it throws(IOVASpaceError) in
            _ = try it.space.allocate(byteCount: 0x8000)
        }
        let highest = IOVASpaceError.noSpace(
            byteCount: 0x4000, alignment: 0x8000, largestHole: 0)
        expectRefusal(highest, try makeSpace()) { it throws(IOVASpaceError) in
            _ = try it.space.allocate(
                byteCount: 0x4000, alignment: 0x8000, placement: .anywhere(.highest))
        }
    }

    @Test("overlap with regions, quarantine and guarded reservations names what is met")
    func overlap() throws {
        let fixture = try makeSpace()
        let pages: [(UInt64, IOVAEntry?)] = [
            (0x1000, fixture.space.entry(fixture.region.handle)),
            (0x2000, fixture.space.entry(fixture.quarantined.handle)),
            (0x8000, fixture.space.entry(containing: IOVA(0x8000))),
        ]
        for (first, entry) in pages {
            let range = IOVARange(first: first, last: first + 0xfff)
            let error = IOVASpaceError.overlap(range, with: try #require(entry))
            expectRefusal(error, try makeSpace()) { it throws(IOVASpaceError) in
                _ = try it.space.allocate(byteCount: 4096, placement: .fixed(range.first))
            }
            if first == 0x8000 { continue }
            expectRefusal(error, try makeSpace()) { it throws(IOVASpaceError) in
                try it.space.reserve(range, fixedPlacement: .placeable)
            }
            expectRefusal(error, try makeSpace()) { it throws(IOVASpaceError) in
                try it.space.withdrawUsable(range)
            }
        }
    }

    @Test("outside the usable ranges nothing is placed or withdrawn")
    func unusable() throws {
        let range = IOVARange(first: 0xf000, last: 0x10fff)
        let above = IOVAEntry.outside(first: 0x10000, last: .max, try makeSpace().space)
        let error = IOVASpaceError.unusable(range, with: try #require(above))
        expectRefusal(error, try makeSpace()) { it throws(IOVASpaceError) in
            _ = try it.space.allocate(byteCount: 8192, placement: .fixed(range.first))
        }
        expectRefusal(error, try makeSpace()) { it throws(IOVASpaceError) in
            try it.space.withdrawUsable(range)
        }
    }

    @Test("a full space says so, for every placement")
    func capacityExhausted() throws {
        let placements: [IOVAPlacement] = [
            .anywhere(), .anywhere(.highest), .fixed(IOVA(0x5000)), .within(.all),
        ]
        for placement in placements {
            expectRefusal(
                .capacityExhausted(regionCapacity: 2), try makeSpace(regionCapacity: 2)
            ) { it throws(IOVASpaceError) in
                _ = try it.space.allocate(byteCount: 4096, placement: placement)
            }
        }
    }

    @Test("stale, foreign and quarantined handles name no region")
    func noSuchRegion() throws {
        let foreign = IOVAHandle(slot: 4000, generation: 1)
        expectRefusal(.noSuchRegion, try makeSpace()) { it throws(IOVASpaceError) in
            try it.space.free(foreign)
        }
        expectRefusal(.noSuchRegion, try makeSpace()) { it throws(IOVASpaceError) in
            try it.space.free(it.quarantined.handle)
        }
        expectRefusal(.noSuchRegion, try makeSpace()) { it throws(IOVASpaceError) in
            try it.space.quarantine(it.quarantined.handle)
        }
        expectRefusal(.noSuchRegion, try makeSpace()) { it throws(IOVASpaceError) in
            try it.space.releaseQuarantined(it.region.handle)
        }
        for address in [0, 0x1001, 0x2000, 0x3000, 0x8000, 0x10000, .max] as [UInt64] {
            expectRefusal(.noSuchRegion, try makeSpace()) { it throws(IOVASpaceError) in
                try it.space.free(startingAt: IOVA(address))
            }
        }
        var fixture = try makeSpace()
        try fixture.space.free(fixture.region.handle)
        let again = try fixture.space.allocate(byteCount: 4096)
        #expect(again.range == fixture.region.range)
        expectRefusal(.noSuchRegion, fixture) { it throws(IOVASpaceError) in
            try it.space.free(it.region.handle)
        }
    }

    @Test("only a reservation that was made can be cancelled")
    func noSuchReservation() throws {
        expectRefusal(.noSuchReservation(Self.policyRange), try makeSpace()) {
            it throws(IOVASpaceError) in
            try it.space.cancelReservation(Self.policyRange, fixedPlacement: .placeable)
        }
    }
}

private struct Fixture: ~Copyable {
    var space: IOVASpace
    let region: IOVAAllocation
    let quarantined: IOVAAllocation
}

extension IOVAEntry {
    fileprivate static func outside(
        first: UInt64, last: UInt64, _ space: borrowing IOVASpace
    ) -> IOVAEntry? {
        let entry = space.entry(containing: IOVA(first))
        return entry?.range == IOVARange(first: first, last: last) ? entry : nil
    }
}
