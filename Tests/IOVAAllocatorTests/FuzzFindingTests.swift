import IOVAAllocator
import Testing

/// What the fuzzers found, each as the few calls that it came down to.
@Suite struct FuzzFindingTests {
    @Test("the first byte of 2^64 empty ones is handed out, where a run of bytes is taken at once")
    func firstByteOfAll() throws {
        var space = try IOVASpace(
            usable: [.all], granule: 1, regionCapacity: 64,
            magazine: IOVAMagazineLimits(ranges: 64, byteCount: .max))
        let first = try space.allocate(byteCount: 1, alignment: 1)
        #expect(first.range == IOVARange(first: 0, last: 0))
        #expect(space.invariantViolation() == nil)
        #expect(space.entry(containing: IOVA(0))?.handle == first.handle)
        let second = try space.allocate(byteCount: 1, alignment: 1, placement: .anywhere(.lowest))
        #expect(second.range == IOVARange(first: 1, last: 1))
    }
}
