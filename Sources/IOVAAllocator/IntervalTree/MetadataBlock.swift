internal import CDatapath

/// Told of each large block of metadata before its memory is first touched.
///
/// This module makes no system call, so whoever may make one passes `madvise(MADV_HUGEPAGE)` here:
/// at 1e5 regions and more a look-up's cost is misses, and half of them are the TLB's.
public typealias IOVAMetadataAdvice = @Sendable (_ address: UInt, _ byteCount: Int) -> Void

/// How a space has the memory for its bookkeeping: about 45 bytes a region.
public struct IOVAMetadataOptions: Sendable {
    /// Whether the memory for all of `regionCapacity` is had at creation, and when the space grows,
    /// so that no later call meets a page fault; otherwise as regions come.
    public var isPopulated: Bool
    public var advice: IOVAMetadataAdvice?
    /// Whether a block of so many bytes is refused, as by a system without memory: for tests.
    var isRefused: (@Sendable (_ byteCount: Int) -> Bool)?

    public init(isPopulated: Bool = true, advice: IOVAMetadataAdvice? = nil) {
        self.isPopulated = isPopulated
        self.advice = advice
    }
}

/// The memory of a pool or table.
@safe
struct MetadataBlock: ~Copyable {
    private static var hugePage: Int { 2 << 20 }

    let base: UnsafeMutableRawPointer

    private init(_ base: UnsafeMutableRawPointer) { unsafe self.base = base }

    deinit { unsafe cdp_memory_free(base) }

    /// A block, of which the first `populated` bytes are backed at once; nil where there is no
    /// memory. Its content is arbitrary.
    static func allocate(
        byteCount: Int, populated: Int, _ options: IOVAMetadataOptions
    ) -> MetadataBlock? {
        // Small blocks start at a cache line, large ones at a huge page.
        let isLarge = byteCount >= 2 * hugePage
        if let isRefused = options.isRefused, isRefused(byteCount) { return nil }
        guard let base = unsafe cdp_memory_allocate(byteCount, isLarge ? hugePage : 64) else {
            return nil
        }
        if isLarge, let advice = options.advice {
            advice(UInt(bitPattern: base), byteCount)
        }
        // In bounds: the offsets stay below the size.
        for offset in stride(from: 0, to: min(populated, byteCount), by: 4096) {
            unsafe base.storeBytes(of: 0, toByteOffset: offset, as: UInt8.self)
        }
        return unsafe MetadataBlock(base)
    }

    /// As `allocate`, for a space that is being made: ends the process where there is no memory, as
    /// Swift's own allocations do.
    static func make(
        byteCount: Int, populated: Int, _ options: IOVAMetadataOptions
    ) -> MetadataBlock {
        guard let block = allocate(byteCount: byteCount, populated: populated, options) else {
            fatalError("no memory for \(byteCount) bytes of metadata")
        }
        return block
    }

    /// Takes over the first bytes of a smaller block.
    /// - Precondition: both have so many.
    func copy(from other: borrowing MetadataBlock, byteCount: Int) {
        unsafe base.copyMemory(from: other.base, byteCount: byteCount)
    }
}
