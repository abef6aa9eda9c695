import IOVAAllocator
import Testing

/// What other allocators of I/O addresses get wrong.
@Suite struct PeerFaultTests {
    @Test("a fixed placement inside an allocated range is refused")
    func fixedInsideAllocated() throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 4)
        let taken = try space.allocate(byteCount: 8 * 4096, placement: .fixed(IOVA(0x10000)))
        let found = space.entry(taken.handle)
        let met = try #require(found)
        for page in 0..<8 as Range<UInt64> {
            let range = IOVARange(first: 0x10000 + page * 4096, last: 0x10fff + page * 4096)
            #expect(throws: IOVASpaceError.overlap(range, with: met)) {
                _ = try space.allocate(byteCount: 4096, placement: .fixed(range.first))
            }
        }
        #expect(space.regionCount == 1)
    }

    @Test("overlap from below, from above and around is refused")
    func overlapFromAllSides() throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 4)
        _ = try space.allocate(byteCount: 2 * 4096, placement: .fixed(IOVA(0x10000)))
        for (first, pages) in [(0xf000, 2), (0x11000, 2), (0xf000, 4)] as [(UInt64, UInt64)] {
            #expect(throws: IOVASpaceError.self) {
                _ = try space.allocate(byteCount: pages * 4096, placement: .fixed(IOVA(first)))
            }
        }
        _ = try space.allocate(byteCount: 4096, placement: .fixed(IOVA(0xf000)))
        _ = try space.allocate(byteCount: 4096, placement: .fixed(IOVA(0x12000)))
    }

    @Test("freeing a range that starts at 1 loses nothing")
    func freeFromOne() throws {
        var space = try IOVASpace(
            usable: [IOVARange(first: 1, last: 100)], granule: 1, regionCapacity: 2)
        for _ in 0..<3 {
            let whole = try space.allocate(byteCount: 100, alignment: 1)
            #expect(whole.range == IOVARange(first: 1, last: 100))
            #expect(space.freeByteCount == 0)
            try space.free(whole.handle)
            #expect(space.freeByteCount == 100)
            #expect(space.invariantViolation() == nil)
        }
    }

    @Test("[0, 2^64-1] can be represented, and filled to the last byte")
    func allAddresses() throws {
        var space = try IOVASpace(usable: [.all], granule: 1, regionCapacity: 2)
        #expect(space.freeByteCount == .max)
        _ = try space.allocate(byteCount: .max, alignment: 1)
        #expect(space.freeByteCount == 1)
        let last = try space.allocate(byteCount: 1, alignment: 1)
        #expect(last.range == IOVARange(first: .max, last: .max))
        #expect(space.freeByteCount == 0 && space.usedByteCount == .max)
        #expect(space.entry(containing: IOVA(.max))?.handle == last.handle)
    }

    @Test(
        "an exactly aligned hole is found where size + alignment - 1 does not fit",
        arguments: [1 << 14, 2 << 20, 1 << 30, 1 << 40, 1 << 63] as [UInt64])
    func exactlyAlignedHole(alignment: UInt64) throws {
        // The hole is the aligned unit itself: at 2^63, the upper half of everything.
        let hole = try #require(IOVARange(first: IOVA(alignment), byteCount: alignment))
        for order in [IOVASearchOrder.lowest, .highest] {
            var space = try IOVASpace(usable: [hole], regionCapacity: 1)
            let found = try space.allocate(
                byteCount: alignment, alignment: alignment, placement: .anywhere(order))
            #expect(found.range == hole)
        }
    }

    @Test("a request that would wrap around the end is refused, not placed at the start")
    func wrapAround() throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 4)
        let lastPage = IOVA(0 &- 4096)
        #expect(throws: IOVASpaceError.badSize(byteCount: 8192)) {
            _ = try space.allocate(byteCount: 8192, placement: .fixed(lastPage))
        }
        #expect(throws: IOVASpaceError.badSize(byteCount: .max - 4094)) {
            _ = try space.allocate(byteCount: .max - 4094)
        }
        // A hole too high to be aligned up in: 2^64 would be the next multiple.
        let upper = IOVARange(first: (1 << 63) + 4096, last: .max)
        #expect(throws: IOVASpaceError.self) {
            _ = try space.allocate(
                byteCount: 4096, alignment: 1 << 63, placement: .within(upper, .lowest))
        }
        #expect(throws: IOVASpaceError.self) {
            _ = try space.allocate(
                byteCount: 4096, alignment: 1 << 63, placement: .within(upper, .highest))
        }
        #expect(space.regionCount == 0 && space.freeByteCount == .max)
    }

    @Test("a look-up of any address inside a region finds it, its neighbours do not")
    func lookUpInside() throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 2)
        let region = try space.allocate(byteCount: 3 * 4096, placement: .fixed(IOVA(0x5000)))
        for address in [0x5000, 0x5001, 0x6abc, 0x7fff] as [UInt64] {
            #expect(space.entry(containing: IOVA(address))?.handle == region.handle)
        }
        #expect(space.entry(containing: IOVA(0x4fff)) == nil)
        #expect(space.entry(containing: IOVA(0x8000)) == nil)
    }
}
