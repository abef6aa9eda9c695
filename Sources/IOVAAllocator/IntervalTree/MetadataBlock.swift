/// Told of each large block of metadata before its memory is first touched.
///
/// This module makes no system call, so whoever may make one passes `madvise(MADV_HUGEPAGE)` here:
/// at 1e5 regions and more a look-up's cost is misses, and half of them are the TLB's.
public typealias IOVAMetadataAdvice = @Sendable (_ address: UInt, _ byteCount: Int) -> Void

/// How a space has the memory for its bookkeeping: about 45 bytes a region.
public struct IOVAMetadataOptions: Sendable {
    /// Whether the memory for all of `regionCapacity` is had at creation, so that no later call
    /// meets a page fault; otherwise as regions come.
    public var isPopulated: Bool
    public var advice: IOVAMetadataAdvice?

    public init(isPopulated: Bool = true, advice: IOVAMetadataAdvice? = nil) {
        self.isPopulated = isPopulated
        self.advice = advice
    }
}

/// The memory of a pool or table.
enum MetadataBlock {
    private static var hugePage: Int { 2 << 20 }

    /// A block, of which the first `populated` bytes are backed at once.
    static func allocate(
        byteCount: Int, populated: Int, _ advice: IOVAMetadataAdvice?
    ) -> UnsafeMutableRawPointer {
        // Small blocks start at a cache line, large ones at a huge page.
        let isLarge = byteCount >= 2 * hugePage
        let base = UnsafeMutableRawPointer.allocate(
            byteCount: byteCount, alignment: isLarge ? hugePage : 64)
        if isLarge, let advice {
            advice(UInt(bitPattern: base), byteCount)
        }
        // In bounds: the offsets stay below the size.
        for offset in stride(from: 0, to: min(populated, byteCount), by: 4096) {
            unsafe base.storeBytes(of: 0, toByteOffset: offset, as: UInt8.self)
        }
        return unsafe base
    }
}
