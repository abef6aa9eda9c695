import Testing
import VhostVDPA

struct VringBaseTests {
    @Test(arguments: [UInt32(0), 1, 0x7fff, 0x8000, 0xffff])
    func `a split base is the 16-bit index`(number: UInt32) {
        let base = VringBase(rawValue: number, layout: .split)
        #expect(base == .split(availableIndex: UInt16(number)))
        #expect(base?.rawValue == number)
    }

    @Test(arguments: [UInt32(0), 0x0000_8000, 0x8000_0000, 0x8001_7fff, 0xffff_ffff, 0x1234_5678])
    func `a packed base survives the way there and back`(number: UInt32) {
        #expect(VringBase(rawValue: number, layout: .packed)?.rawValue == number)
    }

    @Test func `a packed position is 15 bits of index with the wrap counter on top`() {
        #expect(PackedVringPosition(index: 0x7fff, wrapCounter: true)?.rawValue == 0xffff)
        #expect(PackedVringPosition(index: 0x7fff, wrapCounter: false)?.rawValue == 0x7fff)
        #expect(PackedVringPosition(index: 0, wrapCounter: true)?.rawValue == 0x8000)
        #expect(PackedVringPosition(index: 0x8000, wrapCounter: false) == nil)
        let position = PackedVringPosition(rawValue: 0x8005)
        #expect(position.index == 5)
        #expect(position.wrapCounter)
    }

    @Test func `a split base has no more than 16 bits`() {
        #expect(VringBase(rawValue: 0x1_0000, layout: .split) == nil)
        #expect(VringBase(rawValue: .max, layout: .split) == nil)
    }
}
