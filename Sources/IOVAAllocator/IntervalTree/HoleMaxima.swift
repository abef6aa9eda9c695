/// The sizes of the largest holes, one per alignment class.
///
/// A hole's size in a class is what is left of it from its first address that is a multiple of the
/// class's alignment. Sizes saturate at 2^64-1.
struct HoleMaxima: Hashable {
    var page: UInt64
    var huge: UInt64
    var giant: UInt64

    static let hugeAlignment: UInt64 = 2 << 20
    static let giantAlignment: UInt64 = 1 << 30

    @inline(__always)
    static var none: HoleMaxima { HoleMaxima(page: 0, huge: 0, giant: 0) }

    @inline(__always)
    init(page: UInt64, huge: UInt64, giant: UInt64) {
        self.page = page
        self.huge = huge
        self.giant = giant
    }

    /// The maxima of one hole that starts at `first` and holds `length` bytes.
    @inline(__always)
    init(holeAt first: UInt64, length: UInt64) {
        page = length
        let hugePad = (0 &- first) & (Self.hugeAlignment - 1)
        huge = length > hugePad ? length &- hugePad : 0
        let giantPad = (0 &- first) & (Self.giantAlignment - 1)
        giant = length > giantPad ? length &- giantPad : 0
    }

    @inline(__always)
    mutating func raise(to other: HoleMaxima) {
        if other.page > page { page = other.page }
        if other.huge > huge { huge = other.huge }
        if other.giant > giant { giant = other.giant }
    }

    /// Whether a hole with these sizes stays strictly below `maxima` in every class that it counts
    /// in: taking it away then changes nothing.
    @inline(__always)
    func isBelow(_ maxima: HoleMaxima) -> Bool {
        page < maxima.page && (huge < maxima.huge || huge == 0)
            && (giant < maxima.giant || giant == 0)
    }
}

/// Which of the maxima bounds a search with a given alignment.
enum HoleClass {
    case page, huge, giant

    /// The class that an aligned hole of `alignment` is searched in. A hole that fits at
    /// `alignment` fits at every smaller one, so the class's maximum never rules out a fit.
    @inline(__always)
    init(alignment: UInt64, offset: UInt64) {
        if offset != 0 {
            // A congruence other than to 0 is bounded by the plain length alone.
            self = .page
        } else if alignment >= HoleMaxima.giantAlignment {
            self = .giant
        } else if alignment >= HoleMaxima.hugeAlignment {
            self = .huge
        } else {
            self = .page
        }
    }
}
