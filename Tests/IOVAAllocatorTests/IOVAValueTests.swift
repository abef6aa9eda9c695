import IOVAAllocator
import Testing

@Suite struct IOVAValueTests {
    @Test("an address moves forward up to 2^64-1 and answers nil beyond")
    func advanced() {
        #expect(IOVA(1).advanced(by: 4) == IOVA(5))
        #expect(IOVA(0).advanced(by: .max) == IOVA(.max))
        #expect(IOVA(.max).advanced(by: 0) == IOVA(.max))
        #expect(IOVA(.max).advanced(by: 1) == nil)
        #expect(IOVA(1).advanced(by: .max) == nil)
    }

    @Test("an offset is what lies between, and nil backwards")
    func offset() {
        #expect(IOVA(7).offset(from: IOVA(3)) == 4)
        #expect(IOVA(.max).offset(from: IOVA(0)) == .max)
        #expect(IOVA(3).offset(from: IOVA(7)) == nil)
    }

    @Test("alignment holds for 1, for 2^63 and for nothing between by accident")
    func alignment() {
        #expect(IOVA(.max).isAligned(to: 1))
        #expect(IOVA(1 << 63).isAligned(to: 1 << 63))
        #expect(!IOVA(1 << 62).isAligned(to: 1 << 63))
        #expect(IOVA(0).isAligned(to: 1 << 63))
        #expect(!IOVA(4097).isAligned(to: 4096))
    }

    @Test("addresses order by value and print in hexadecimal")
    func orderAndText() {
        #expect(IOVA(1) < IOVA(.max))
        #expect("\(IOVA(0xfee0_0000))" == "0xfee00000")
        #expect("\(IOVARange(first: 0, last: 0xfff))" == "[0x0, 0xfff]")
    }

    @Test("a range by size ends at 2^64-1 at the latest and is never empty")
    func rangeBySize() {
        #expect(IOVARange(first: IOVA(1), byteCount: .max) == IOVARange(first: 1, last: .max))
        #expect(IOVARange(first: IOVA(2), byteCount: .max) == nil)
        #expect(IOVARange(first: IOVA(2), byteCount: 0) == nil)
        #expect(IOVARange(first: IOVA(.max), byteCount: 1) == IOVARange(first: .max, last: .max))
    }

    @Test("only the range of all addresses has a size that no integer holds")
    func byteCount() {
        #expect(IOVARange.all.byteCount == nil)
        #expect(IOVARange(first: 1, last: .max).byteCount == .max)
        #expect(IOVARange(first: 0, last: .max - 1).byteCount == .max)
        #expect(IOVARange(first: 5, last: 5).byteCount == 1)
    }

    @Test("overlap, containment and intersection count both ends")
    func relations() {
        let range = IOVARange(first: 10, last: 19)
        #expect(range.contains(IOVA(10)) && range.contains(IOVA(19)))
        #expect(!range.contains(IOVA(9)) && !range.contains(IOVA(20)))
        #expect(range.overlaps(IOVARange(first: 19, last: 30)))
        #expect(!range.overlaps(IOVARange(first: 20, last: 30)))
        #expect(range.overlaps(IOVARange(first: 0, last: 10)))
        #expect(!range.overlaps(IOVARange(first: 0, last: 9)))
        #expect(IOVARange.all.contains(range) && !range.contains(IOVARange.all))
        #expect(
            range.intersection(IOVARange(first: 15, last: 30)) == IOVARange(first: 15, last: 19))
        #expect(range.intersection(IOVARange(first: 20, last: 30)) == nil)
    }

    @Test("what follows starts right behind, and nothing follows 2^64-1")
    func follows() {
        let range = IOVARange(first: 10, last: 19)
        #expect(range.isFollowed(by: IOVARange(first: 20, last: 20)))
        #expect(!range.isFollowed(by: IOVARange(first: 21, last: 21)))
        #expect(!IOVARange.all.isFollowed(by: IOVARange(first: 0, last: 0)))
    }

    @Test("a backwards range traps instead of wrapping")
    func backwards() async {
        await #expect(processExitsWith: .failure) { _ = IOVARange(first: 2, last: 1) }
    }
}
