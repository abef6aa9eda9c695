/// How a heap grows and what its blocks are made of.
public struct DMAHeapOptions: Sendable {
    /// The size of each extent that the heap allocates, and the largest that one given to it may
    /// have; no block is larger. 4 KiB to 2^24 granules (1 GiB with granules of 64 bytes), rounded
    /// up to 4 KiB.
    public var extentByteCount: Int
    /// The most extents at once, 1 to 2048, with 2^26 granules together (4 GiB with granules of 64
    /// bytes). Address space for bookkeeping is reserved for all of them, 32 bytes for each
    /// granule; memory is used for as many blocks, free or out, as there were at once.
    public var extentCapacity: Int
    /// What the heap starts with; 0 for nothing. Rounded up to whole extents.
    public var initialByteCount: Int
    /// Block sizes are multiples of this: a power of two from 64 to 4096. Larger ones leave fewer
    /// fragments where all blocks are large, and allow larger extents.
    public var granuleByteCount: Int
    /// With fewer free bytes than this, `isLow` is raised. 0: by a refusal alone.
    public var lowWaterMark: Int
    /// The most free blocks that a take which would be refused looks at, 0 or more. Without a limit
    /// (the default) a take is refused only where no free block fits; see `DMAHeap.take`.
    public var searchLimit: Int
    /// A power of two: an extent whose address and IOVA are not equal modulo this is refused, so
    /// that any block can be aligned as far. 4096 always works; the page size of `memory` does
    /// where the address space has room.
    public var alignment: Int
    /// What extents are made of. They are dedicated, whatever `isolation` says.
    public var memory: AllocationOptions

    /// The defaults: extents of 2 MiB, up to 256 of them, one at the start, granules of 64 bytes.
    public init(
        extentByteCount: Int = 2 << 20, extentCapacity: Int = 256,
        initialByteCount: Int = 1, granuleByteCount: Int = 64, lowWaterMark: Int = 0,
        searchLimit: Int = .max, alignment: Int = 4096,
        memory: AllocationOptions = AllocationOptions()
    ) {
        self.extentByteCount = extentByteCount
        self.extentCapacity = extentCapacity
        self.initialByteCount = initialByteCount
        self.granuleByteCount = granuleByteCount
        self.lowWaterMark = lowWaterMark
        self.searchLimit = searchLimit
        self.alignment = alignment
        self.memory = memory
    }
}

extension DMAHeapOptions {
    /// Checked and rounded.
    /// - Throws: `invalidArgument`.
    func settled() throws(DMAError) -> DMAHeapOptions {
        func refused(_ what: String, _ remedy: String) -> DMAError {
            DMAError(.invalidArgument, "A heap with \(what).", remedy: remedy)
        }
        guard granuleByteCount.nonzeroBitCount == 1, (64...4096).contains(granuleByteCount) else {
            throw refused(
                "granules of \(granuleByteCount) bytes", "Use a power of two from 64 to 4096.")
        }
        // At most 2^24 granules of 4096 bytes.
        guard extentByteCount > 0, extentByteCount <= granuleByteCount << 24 else {
            throw refused(
                "extents of \(extentByteCount) bytes",
                "Use 4 KiB to 2^24 granules of \(granuleByteCount) bytes.")
        }
        guard (1...2048).contains(extentCapacity) else {
            throw refused("up to \(extentCapacity) extents", "Use 1 to 2048.")
        }
        guard initialByteCount >= 0, lowWaterMark >= 0, searchLimit >= 0 else {
            throw refused("a negative size, mark or limit", "Use 0 or more.")
        }
        guard alignment > 0, alignment.nonzeroBitCount == 1 else {
            throw refused("an alignment of \(alignment)", "Use a power of two.")
        }
        var settled = self
        settled.extentByteCount = (extentByteCount + 4095) & ~4095
        settled.memory.isolation = .dedicated
        settled.memory.alignment = max(memory.alignment, UInt64(min(alignment, 1 << 46)))
        return settled
    }
}
