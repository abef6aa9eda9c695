/// The generator of every workload: splitmix64, so that other languages draw the same numbers.
public struct SplitMix64: Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// A number in `0..<count` from one draw, by its upper half.
public func pick(_ draw: UInt64, below count: Int) -> Int {
    Int(((draw >> 32) &* UInt64(count)) >> 32)
}

/// The mixed size rule, in 4 KiB pages: half single pages, 30 % of 2 to 16 pages, 15 % of 2 MiB,
/// 5 % of 4 to 64 MiB. One draw decides both the class (upper half) and the size (lower half).
public func mixedPageCount(_ draw: UInt64) -> UInt32 {
    let percent = (draw >> 32) % 100
    let rest = draw & 0xFFFF_FFFF
    if percent < 50 { return 1 }
    if percent < 80 { return UInt32(2 + rest % 15) }
    if percent < 95 { return 512 }
    return UInt32(512 * (2 + rest % 31))
}

/// What a region of the workload occupies and how it must be aligned.
public enum RegionShape {
    public static let smallAlignment: UInt64 = 4 << 10
    public static let largeAlignment: UInt64 = 2 << 20

    public static func byteCount(pages: UInt32) -> UInt64 { UInt64(pages) << 12 }

    public static func alignment(pages: UInt32) -> UInt64 {
        pages >= 512 ? largeAlignment : smallAlignment
    }
}
