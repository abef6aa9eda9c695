/// The size classes of the magazine: one for each exact size that is worth keeping.
///
/// Sizes below 2 MiB and from there on are kept apart: each exact number of granules up to 511, and
/// each exact number of 2 MiB pages up to 1 GiB.
enum RangeClass {
    static var count: Int { 511 + 512 }

    /// The class of a size in bytes, or nil where the size has none.
    @inline(__always)
    static func index(byteCount: UInt64, granuleShift: UInt64) -> Int? {
        if byteCount < HoleMaxima.hugeAlignment {
            let granules = byteCount >> granuleShift
            return granules <= 511 ? Int(truncatingIfNeeded: granules &- 1) : nil
        }
        let pages = byteCount >> 21
        guard byteCount & (HoleMaxima.hugeAlignment &- 1) == 0, pages <= 512 else { return nil }
        return Int(truncatingIfNeeded: pages &+ 510)
    }

    @inline(__always)
    static func byteCount(_ index: Int, granuleShift: UInt64) -> UInt64 {
        index < 511
            ? UInt64(truncatingIfNeeded: index &+ 1) << granuleShift
            : UInt64(truncatingIfNeeded: index &- 510) << 21
    }
}
