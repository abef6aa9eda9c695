internal import CDatapath

/// What a heap holds at one moment. All sizes in bytes.
public struct DMAHeapStatistics: Hashable, Sendable {
    /// Of all extents.
    public let byteCount: Int
    /// In no block.
    public let freeByteCount: Int
    /// The largest block that can be taken now.
    public let largestFreeByteCount: Int
    /// In blocks, and asked for by nobody: sizes are rounded up to granules.
    public let wastedByteCount: Int
    /// Blocks taken and not given back.
    public let blocks: Int
    /// Extents.
    public let extents: Int

    init(_ raw: cdp_heap_statistics) {
        byteCount = Int(raw.byte_count)
        freeByteCount = Int(raw.free_byte_count)
        largestFreeByteCount = Int(raw.largest_free_byte_count)
        wastedByteCount = Int(raw.wasted_byte_count)
        blocks = Int(raw.live_blocks)
        extents = Int(raw.extents)
    }

    /// In blocks, rounded up to granules.
    public var liveByteCount: Int { byteCount - freeByteCount }

    /// The part of the free bytes outside the largest free block: 0 where they are one block, near
    /// 1 where they are many small ones. Blocks do not cross extents, so that several empty extents
    /// count as fragments.
    public var fragmentation: Double {
        guard freeByteCount > 0 else { return 0 }
        return 1 - Double(largestFreeByteCount) / Double(freeByteCount)
    }
}
