/// The handle slots of regions that are inserted together.
typealias RunSlots = InlineArray<16, UInt32>

/// What an entry of the tree is, in 32 bits: three bits of kind, one flag, 28 bits of payload.
struct EntryTag: Equatable {
    enum Kind: UInt32 {
        /// Owns the hole at address 0; holds no bytes.
        case sentinel = 0
        /// Outside the usable ranges.
        case unusable = 1
        /// Part of a reservation; the payload is its policy.
        case reserved = 2
        /// A live region; the payload is its slot in the handle table.
        case region = 3
        /// A region whose unmap is not confirmed; the payload is its slot.
        case quarantined = 4
        /// Kept free beside a region; the payload is the region's slot.
        case guardGap = 5
    }

    static var maximumPayload: UInt32 { (1 << 28) - 1 }

    var rawValue: UInt32

    @inline(__always)
    init(rawValue: UInt32) { self.rawValue = rawValue }

    @inline(__always)
    init(_ kind: Kind, payload: UInt32 = 0, liesOverReservation: Bool = false) {
        assert(payload <= EntryTag.maximumPayload)
        rawValue = kind.rawValue | (liesOverReservation ? 8 : 0) | payload << 4
    }

    @inline(__always)
    var kind: Kind {
        // Every tag was made by the initialiser above, so the three bits name a kind.
        guard let kind = Kind(rawValue: rawValue & 7) else {
            preconditionFailure("a tag with an unknown kind")
        }
        return kind
    }

    @inline(__always)
    var liesOverReservation: Bool { rawValue & 8 != 0 }

    @inline(__always)
    var payload: UInt32 { rawValue >> 4 }
}
