internal import Synchronization

/// Buffers of one size in one region, taken and given back in nanoseconds by any thread.
///
/// `take` and `give` are lock-free: no lock, no allocation, no system call. A pool that is empty
/// answers nil; it never maps.
///
/// The free buffers are a stack of indices (Treiber, 1986) whose head carries a counter, so that a
/// head that was taken and given back in between is not mistaken for the old one.
public final class DMABufferPool: Sendable {
    /// The bytes of one buffer, as asked for.
    public let bufferByteCount: Int
    /// The bytes from one buffer to the next: the size rounded up to a cache line.
    public let stride: Int
    /// The number of buffers.
    public let capacity: Int

    /// The memory. Nobody else has it, so it cannot be unmapped underneath.
    private let region: DMARegion
    private let addressBits: UInt
    /// Index of the first free buffer in the low half (`none` for an empty stack), counter in the
    /// high one.
    private let head: Atomic<UInt64>
    /// For each free buffer, the one below it.
    private let next: AtomicIndices

    private static let none = UInt32.max
    private static let lineByteCount = 64

    /// Makes a pool of all the buffers that fit into a region, and takes the region over.
    ///
    /// - Parameter bufferSize: in bytes, at least 1.
    /// - Throws: `invalidArgument` where no buffer fits; the region has been freed then.
    /// - Complexity: O(n) in the number of buffers. System calls: none.
    public init(_ region: consuming DMARegion, bufferSize: Int) throws(DMAError) {
        let line = DMABufferPool.lineByteCount
        // A region has at most 2^46 bytes, so that a size within it can be rounded up.
        let size = min(max(bufferSize, 1), region.byteCount)
        let stride = (size + line - 1) / line * line
        let count = region.byteCount / stride
        guard bufferSize == size, count > 0, count < Int(DMABufferPool.none) else {
            throw DMAError(
                .invalidArgument,
                "Buffers of \(bufferSize) bytes, padded to whole lines of \(line), do not fit a "
                    + "region of \(region.byteCount) bytes, or are more than 2^32 - 2.",
                remedy: "Ask for a smaller buffer or a larger region.")
        }
        bufferByteCount = bufferSize
        self.stride = stride
        capacity = count
        // Safe: the address is a number here; the pool keeps the region.
        addressBits = unsafe UInt(bitPattern: region.address)
        self.region = region
        next = AtomicIndices(count: count)
        // Lowest first: buffer 0 on top, each above the next.
        for index in 0..<count {
            next.store(index + 1 < count ? UInt32(index + 1) : DMABufferPool.none, at: index)
        }
        head = Atomic(0)
    }

    /// A buffer, or nil when all are out. Its content is what its last user left.
    ///
    /// - Complexity: O(1), lock-free. System calls: none.
    public func take() -> DMABuffer? {
        var old = head.load(ordering: .acquiring)
        while true {
            let index = UInt32(truncatingIfNeeded: old)
            guard index != DMABufferPool.none else { return nil }
            let below = next.load(at: Int(index))
            let new = ((old >> 32) &+ 1) << 32 | UInt64(below)
            let (done, found) = head.compareExchange(
                expected: old, desired: new, successOrdering: .acquiringAndReleasing,
                failureOrdering: .acquiring)
            if done { return buffer(Int(index)) }
            old = found
        }
    }

    /// Gives a buffer back. The device must be done with it.
    ///
    /// - Precondition: the buffer is of this pool, and out. A foreign one traps; giving one back
    ///   twice does not, and hands it to two users.
    /// - Complexity: O(1), lock-free. System calls: none.
    public func give(_ buffer: DMABuffer) {
        let offset = Int(buffer.addressBits &- addressBits)
        precondition(
            buffer.addressBits >= addressBits && offset < capacity &* stride
                && offset % stride == 0, "a buffer is given back to its own pool")
        let index = offset / stride
        var old = head.load(ordering: .relaxed)
        while true {
            next.store(UInt32(truncatingIfNeeded: old), at: index)
            let new = ((old >> 32) &+ 1) << 32 | UInt64(index)
            let (done, found) = head.compareExchange(
                expected: old, desired: new, successOrdering: .releasing,
                failureOrdering: .relaxed)
            if done { return }
            old = found
        }
    }

    @inline(__always)
    private func buffer(_ index: Int) -> DMABuffer {
        let offset = index &* stride
        // Inside the region, whose addresses do not wrap.
        return DMABuffer(
            addressBits: addressBits &+ UInt(offset),
            iova: IOVA(region.iova.rawValue &+ UInt64(offset)))
    }
}

/// A fixed array of atomic 32-bit indices.
@safe
private struct AtomicIndices: ~Copyable, @unchecked Sendable {
    // Sendable: every access to the memory is atomic, and it lives as long as this owner.
    private let memory: UnsafeMutablePointer<Atomic<UInt32>>
    private let count: Int

    init(count: Int) {
        unsafe memory = .allocate(capacity: count)
        for index in 0..<count { unsafe (memory + index).initialize(to: Atomic(0)) }
        self.count = count
    }

    deinit {
        unsafe memory.deinitialize(count: count)
        unsafe memory.deallocate()
    }

    // In bounds: indices come from the pool's own stack, or were checked against its capacity.
    @inline(__always)
    func load(at index: Int) -> UInt32 { unsafe memory[index].load(ordering: .relaxed) }

    @inline(__always)
    func store(_ value: UInt32, at index: Int) {
        unsafe memory[index].store(value, ordering: .relaxed)
    }
}
