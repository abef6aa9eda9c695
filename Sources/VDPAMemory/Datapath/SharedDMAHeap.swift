public import CDatapath

/// A `DMAHeap` that threads share: any of them takes, and any gives what another took.
///
/// The one exception to the rule that the data plane takes no lock: `take` and `give` hold the
/// heap's own lock for their few nanoseconds. It spins, and yields the processor where the holder
/// seems to have lost his; so it is not for threads of different real-time priorities on one
/// processor. Where throughput counts, give each thread a `DMAHeap`.
///
/// `grow` and `trim` map outside the lock.
@safe
public final class SharedDMAHeap: Sendable {
    /// How a heap grows and what its blocks are made of.
    public typealias Options = DMAHeapOptions

    // Safe: lives as long as `extents`; touched with its lock held, but for the atomic flag.
    @usableFromInline nonisolated(unsafe) let heap: UnsafeMutablePointer<cdp_heap>
    private let extents: HeapExtents

    /// What the C interface works on, as long as this object lives.
    package var datapath: UnsafeMutablePointer<cdp_heap> { unsafe heap }

    /// See `DMAHeap.init`.
    public init(_ domain: DMADomain, options: Options = Options()) throws(DMAError) {
        let extents = try HeapExtents(domain, options.settled())
        try extents.grow(byteCount: options.initialByteCount)
        unsafe heap = extents.heap
        self.extents = extents
    }

    /// See `DMAHeap.take`.
    ///
    /// - Complexity: O(1) under the lock, as there; zeros are written outside it.
    @inlinable
    public func take(byteCount: Int, alignment: Int = 1, zeroed: Bool = false) -> DMABlock? {
        precondition(
            alignment > 0 && alignment & (alignment &- 1) == 0, "an alignment is a power of two")
        let size = UInt64(bitPattern: Int64(byteCount))
        unsafe cdp_heap_lock(heap)
        let raw = unsafe cdp_heap_take_aligned(heap, size, UInt64(alignment))
        unsafe cdp_heap_unlock(heap)
        let block = DMABlock(raw)
        if zeroed, let block { block.fillWithZeros() }
        return block
    }

    /// See `DMAHeap.give`.
    @inlinable
    public func give(_ block: DMABlock) {
        unsafe cdp_heap_lock(heap)
        let isTaken = unsafe cdp_heap_give(heap, block.raw)
        unsafe cdp_heap_unlock(heap)
        guard isTaken else { unsafe DMAHeap.refuse(block, heap) }
    }

    /// See `DMAHeap.isLow`. Takes no lock.
    @inlinable
    public var isLow: Bool { unsafe cdp_heap_is_low(heap) }

    /// Lowers `isLow`, as `grow` does.
    public func lowerFlag() { unsafe cdp_heap_lower_low(heap) }

    /// See `DMAHeap.grow`. Other threads take and give meanwhile.
    public func grow(byteCount: Int) throws(DMAError) { try extents.grow(byteCount: byteCount) }

    /// See `DMAHeap.add`.
    public func add(_ region: consuming DMARegion) throws(DMAError) { try extents.add(region) }

    /// See `DMAHeap.trim`. Other threads take and give meanwhile.
    @discardableResult
    public func trim(keeping: Int = 1) throws(DMAError) -> Int {
        try extents.trim(keeping: keeping)
    }

    /// What the heap holds now; under the lock.
    public var statistics: DMAHeapStatistics { extents.statistics }

    /// What is wrong with the bookkeeping, or nil: for tests. O(granules), under the lock.
    public func invariantViolation() -> String? { extents.invariantViolation() }
}
