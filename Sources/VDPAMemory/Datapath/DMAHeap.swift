public import CDatapath

/// Blocks of any size from 64 bytes to an extent's, taken and given back in constant time: for
/// descriptor rings, headers, request structures.
///
/// One thread at a time has the heap, and no lock is taken: it cannot be copied, so that two
/// threads cannot have it by accident. `SharedDMAHeap` is for several.
///
/// The heap owns extents: mapped memory that is its own. `take` never maps; where nothing fits it
/// answers nil and raises `isLow`. `grow` and `trim` map and unmap: they belong to the control
/// plane.
///
/// The bookkeeping lies outside the blocks (32 bytes for each), so that a device which writes past
/// its block cannot corrupt it. Free neighbours are joined at once.
@safe
public struct DMAHeap: ~Copyable, Sendable {
    /// How a heap grows and what its blocks are made of.
    public typealias Options = DMAHeapOptions

    // Safe: lives as long as `extents`, which lives as long as this. Not touched by two threads:
    // whoever takes and gives has the heap to himself, and the rest holds its lock.
    @usableFromInline nonisolated(unsafe) let heap: UnsafeMutablePointer<cdp_heap>
    private let extents: HeapExtents

    /// A heap that allocates its extents from a domain, the first ones now.
    ///
    /// - Throws: `invalidArgument`, or what `grow` throws; then nothing is left behind.
    public init(_ domain: DMADomain, options: Options = Options()) throws(DMAError) {
        let extents = try HeapExtents(domain, options.settled())
        try extents.grow(byteCount: options.initialByteCount)
        unsafe heap = extents.heap
        self.extents = extents
    }

    /// A heap in a region, which it takes over. It can `grow` in the region's domain.
    ///
    /// `options.extentByteCount` is raised to the region's size, and `initialByteCount` is ignored.
    ///
    /// - Throws: `invalidArgument`, `hostMemory`; the region has been freed then.
    public init(
        _ region: consuming DMARegion, options: Options = Options()
    ) throws(DMAError) {
        var options = options
        options.extentByteCount = max(options.extentByteCount, region.byteCount)
        guard let domain = region.domain else { throw DMAError.noSuchRegion }
        let extents = try HeapExtents(domain, options.settled())
        try extents.add(region)
        unsafe heap = extents.heap
        self.extents = extents
    }

    // MARK: the data plane

    /// A block of at least `byteCount` bytes, or nil. It never crosses an extent.
    ///
    /// nil with `isLow` raised: no free block fits. Without that: it can never be had, as
    /// `byteCount` is below 1, or it or the alignment is larger than an extent may be.
    ///
    /// A refusal is exact: a block of up to 64 granules (4 KiB) without an alignment above the
    /// granule is found where there is one, always in O(1). Others are found in O(1) where a free
    /// block is larger by 1/16 and by the alignment; else the free blocks that may or may not fit
    /// are looked at, up to `Options.searchLimit` of them: without a limit, nil means that none
    /// fits.
    ///
    /// - Parameters:
    ///   - byteCount: at least 1.
    ///   - alignment: a power of two; address and IOVA are both multiples of it. Above
    ///     `Options.alignment`, only extents that happen to be aligned so serve.
    ///   - zeroed: whether the bytes are zeros; else they are what somebody left.
    /// - Complexity: O(1), see above. No lock, no allocation, no system call.
    @inlinable
    public mutating func take(
        byteCount: Int, alignment: Int = 1, zeroed: Bool = false
    ) -> DMABlock? {
        precondition(
            alignment > 0 && alignment & (alignment &- 1) == 0, "an alignment is a power of two")
        // A negative size is a huge one, and refused as such. Safe: see `heap`.
        let size = UInt64(bitPattern: Int64(byteCount))
        let block = DMABlock(unsafe cdp_heap_take_aligned(heap, size, UInt64(alignment)))
        if zeroed, let block { block.fillWithZeros() }
        return block
    }

    /// Gives a block back. The device must be done with it.
    ///
    /// - Precondition: the block is of this heap, and out: checked in release, too. A block that
    ///   was given already escapes only if its very place is out again with a serial number that
    ///   has come round, once in 2^11 takes.
    /// - Complexity: O(1). No lock, no allocation, no system call.
    @inlinable
    public mutating func give(_ block: DMABlock) {
        // Safe: see `heap`.
        guard unsafe cdp_heap_give(heap, block.raw) else {
            unsafe DMAHeap.refuse(block, heap)
        }
    }

    @inline(never)
    @usableFromInline
    static func refuse(_ block: DMABlock, _ heap: UnsafePointer<cdp_heap>) -> Never {
        let reason = unsafe String(cString: cdp_heap_refusal(heap, block.raw))
        fatalError(
            "A heap does not take back the \(block.byteCount) bytes at \(block.iova): \(reason).")
    }

    /// Whether a take was refused, or fewer bytes were free than `Options.lowWaterMark`, since the
    /// flag was last lowered: time to grow.
    @inlinable
    public var isLow: Bool { unsafe cdp_heap_is_low(heap) }

    /// Lowers `isLow`, as `grow` does.
    public mutating func lowerFlag() { unsafe cdp_heap_lower_low(heap) }

    // MARK: the control plane

    /// Adds extents, all mapped in one batch: as many of `Options.extentByteCount` as have at least
    /// so many bytes.
    ///
    /// - Throws: `heapCapacity`; `invalidArgument` below 0; `noSpace` where extents could not be
    ///   had aligned; what `DMADomain.allocate` throws. Nothing has changed then.
    /// - Complexity: that of the domain's allocation, and its system calls.
    public mutating func grow(byteCount: Int) throws(DMAError) {
        try extents.grow(byteCount: byteCount)
    }

    /// Adds a region as an extent, and takes it over.
    ///
    /// - Throws: `heapCapacity`; `invalidArgument` for one that is larger than
    ///   `Options.extentByteCount`, or of another domain: an IOVA means something in one alone. The
    ///   region has been freed then.
    public mutating func add(_ region: consuming DMARegion) throws(DMAError) {
        try extents.add(region)
    }

    /// Frees the extents that hold no block, in one batch, but for `keeping` of them, so that a
    /// load that comes and goes does not map and unmap each time.
    ///
    /// - Returns: the extents that were freed.
    /// - Throws: what `DMARegion.free` throws. The heap is as it was then.
    @discardableResult
    public mutating func trim(keeping: Int = 1) throws(DMAError) -> Int {
        try extents.trim(keeping: keeping)
    }

    /// Frees the heap with all its extents, whatever blocks are out, and reports; leaving scope
    /// does so without.
    ///
    /// - Throws: what `DMARegion.free` throws; what could not be unmapped is in quarantine.
    public consuming func free() throws(DMAError) { try extents.free() }

    /// What the heap holds now.
    /// - Complexity: O(1), and O(free blocks of the largest size class) for the largest.
    public var statistics: DMAHeapStatistics { extents.statistics }

    /// What is wrong with the bookkeeping, or nil: for tests. O(granules).
    public func invariantViolation() -> String? { extents.invariantViolation() }
}
