import IOVAAllocator
import Testing

/// What the magazine keeps when the sizes that are asked for change.
@Suite struct MagazineTests {
    private static let limits = IOVAMagazineLimits(
        ranges: 64, rangesPerSize: 64, byteCount: .max)

    private func allocate(
        _ space: inout IOVASpace, pages: UInt64, count: Int
    ) throws -> [IOVAHandle] {
        try (0..<count).map { _ in
            try space.allocate(byteCount: pages * 4096).handle
        }
    }

    @Test("ranges of a size that nobody asks for any more make room for those of one that is")
    func staleSizesMakeRoom() throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 200, magazine: Self.limits)
        for handle in try allocate(&space, pages: 3, count: 64) { try space.free(handle) }
        let before = space.cachedByteCount
        #expect(before >= 56 * 3 * 4096)
        for _ in 0..<1000 {
            for handle in try allocate(&space, pages: 20, count: 32) { try space.free(handle) }
        }
        // All 32 of the size in use are kept in the end: more bytes than the others ever had.
        #expect(space.cachedByteCount >= 32 * 20 * 4096)
        #expect(space.cachedByteCount <= 64 * 20 * 4096)
        #expect(space.regionCount == 0)
        #expect(space.invariantViolation() == nil)
        space.flushMagazine()
        #expect(space.cachedByteCount == 0)
        #expect(space.invariantViolation() == nil)
    }

    @Test("sizes that are all in use keep what they have")
    func sizesInUseStay() throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 200, magazine: Self.limits)
        for _ in 0..<200 {
            let small = try allocate(&space, pages: 2, count: 20)
            let large = try allocate(&space, pages: 7, count: 20)
            for handle in small + large { try space.free(handle) }
        }
        // A churn of 40 regions fits the 64 ranges of the magazine: none went back to the tree.
        #expect(space.cachedByteCount >= 20 * 9 * 4096)
        #expect(space.invariantViolation() == nil)
    }

    @Test("a class at its limit gives a few back and keeps the range that was freed last")
    func fullClassKeepsTheLatest() throws {
        let limits = IOVAMagazineLimits(ranges: 64, rangesPerSize: 16, byteCount: .max)
        var space = try IOVASpace(usable: [.all], regionCapacity: 200, magazine: limits)
        let handles = try allocate(&space, pages: 1, count: 60)
        var last: IOVARange?
        for handle in handles {
            last = try space.free(handle)
            #expect(space.cachedByteCount <= 16 * 4096)
        }
        #expect(space.cachedByteCount > 8 * 4096)
        let again = try space.allocate(byteCount: 4096)
        #expect(again.range == last)
        #expect(space.invariantViolation() == nil)
    }
}
