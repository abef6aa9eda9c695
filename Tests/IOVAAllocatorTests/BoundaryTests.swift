import IOVAAllocator
import Testing

/// The ends of the address space, and sizes next to powers of two.
@Suite struct BoundaryTests {
    @Test("the first and the last page of everything are handed out whole")
    func firstAndLastPage() throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 4)
        let low = try space.allocate(byteCount: 1)
        let high = try space.allocate(byteCount: 1, placement: .anywhere(.highest))
        #expect(low.range == IOVARange(first: 0, last: 4095))
        #expect(high.range == IOVARange(first: .max - 4095, last: .max))
        #expect(space.freeByteCount == 0 &- 8192)
        let between = IOVARange(first: 4096, last: .max - 4096)
        var holes: [IOVARange] = []
        space.forEachHole { holes.append($0) }
        #expect(holes == [between])
        #expect(space.invariantViolation() == nil)
    }

    @Test(
        "sizes next to a power of two are rounded to granules, placed and given back",
        arguments: [12, 13, 21, 30, 32, 47, 62, 63] as [UInt64])
    func powers(power: UInt64) throws {
        for granule in [1, 4096] as [UInt64] {
            var space = try IOVASpace(usable: [.all], granule: granule, regionCapacity: 4)
            for size in [(1 << power) - 1, 1 << power, (1 << power) + 1] as [UInt64] {
                for order in [IOVASearchOrder.lowest, .highest] {
                    let region = try space.allocate(
                        byteCount: size, alignment: 1 << power, placement: .anywhere(order))
                    let rounded = (size + granule - 1) / granule * granule
                    #expect(region.range.byteCount == rounded)
                    #expect(region.range.first.isAligned(to: 1 << power))
                    #expect(space.invariantViolation() == nil)
                    try space.free(region.handle)
                }
            }
            #expect(space.freeByteCount == .max)
        }
    }

    @Test("alignment 2^63 has two places, and no third")
    func alignment63() throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 4)
        let first = try space.allocate(byteCount: 4096, alignment: 1 << 63)
        let second = try space.allocate(byteCount: 4096, alignment: 1 << 63)
        #expect(first.range.first == IOVA(0) && second.range.first == IOVA(1 << 63))
        #expect(throws: IOVASpaceError.self) {
            _ = try space.allocate(byteCount: 4096, alignment: 1 << 63)
        }
        let upper = try space.allocate(byteCount: (1 << 63) - 4096)
        #expect(upper.range == IOVARange(first: 4096, last: (1 << 63) - 1))
    }

    @Test("the largest request there is takes all but a granule; freed, all is one hole again")
    func wholeSpace() throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 1)
        let size = space.largestHole()
        #expect(size == 0 &- 4096)
        let region = try space.allocate(byteCount: size, placement: .anywhere(.highest))
        #expect(region.range == IOVARange(first: 4096, last: .max))
        try space.free(region.handle)
        var holes: [IOVARange] = []
        space.forEachHole { holes.append($0) }
        #expect(holes == [.all] && space.freeByteCount == .max)
    }

    @Test("a space of one region takes one, refuses the next, and takes one again")
    func capacityOne() throws {
        var space = try IOVASpace(
            usable: [IOVARange(first: 4096, last: 0xffff)], regionCapacity: 1,
            reservationCapacity: 0)
        for _ in 0..<100 {
            let region = try space.allocate(byteCount: 4096)
            let before = Snapshot(space)
            #expect(throws: IOVASpaceError.capacityExhausted(regionCapacity: 1)) {
                _ = try space.allocate(byteCount: 4096)
            }
            #expect(Snapshot(space) == before)
            try space.free(region.handle)
        }
    }

    @Test("congruence puts the IOVA at the memory's place in its large page, from both ends")
    func congruence() throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 4)
        let memory: UInt64 = 0x7f12_3456_7000
        for order in [IOVASearchOrder.lowest, .highest] {
            let region = try space.allocate(
                byteCount: 4 << 20, alignment: 2 << 20, placement: .anywhere(order),
                congruentTo: memory)
            #expect(region.range.first.rawValue % (2 << 20) == memory % (2 << 20))
        }
    }

    @Test("a window of one page gives that page, once")
    func window() throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 4)
        for window in [
            IOVARange(first: 0, last: 4095), IOVARange(first: .max - 4095, last: .max),
        ] {
            let region = try space.allocate(byteCount: 4096, placement: .within(window, .highest))
            #expect(region.range == window)
            #expect(throws: IOVASpaceError.self) {
                _ = try space.allocate(byteCount: 4096, placement: .within(window, .lowest))
            }
        }
    }

    @Test("ranges come and go in a live space, whole again when all have come")
    func rangesComeAndGo() throws {
        var space = try IOVASpace(usable: [], regionCapacity: 4)
        #expect(space.freeByteCount == 0 && space.largestHole() == 0)
        let half = IOVARange(first: 1 << 63, last: .max)
        try space.addUsable(half)
        try space.addUsable(IOVARange(first: 0, last: (1 << 63) - 1))
        #expect(space.freeByteCount == .max && space.largestHole() == 0 &- 4096)
        try space.withdrawUsable(half)
        #expect(throws: IOVASpaceError.self) { try space.withdrawUsable(half) }
        #expect(throws: IOVASpaceError.self) { try space.addUsable(.all) }
        #expect(space.freeByteCount == 1 << 63)
        #expect(space.invariantViolation() == nil)
    }

    @Test("a magazine that may keep no range of any size keeps none")
    func magazineWithoutSizes() throws {
        var space = try IOVASpace(
            usable: [.all], regionCapacity: 4,
            magazine: IOVAMagazineLimits(ranges: 4, rangesPerSize: 0, byteCount: .max))
        let region = try space.allocate(byteCount: 4096)
        try space.free(region.handle)
        #expect(space.cachedByteCount == 0)
        #expect(space.freeByteCount == .max)
        #expect(space.invariantViolation() == nil)
    }
}
