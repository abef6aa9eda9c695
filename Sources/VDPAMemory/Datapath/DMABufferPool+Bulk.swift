public import CDatapath

// Several buffers at once: one look at the cache, and a copy.

extension DMABufferPool {
    /// Takes as many buffers as there are elements, or as there are buffers.
    ///
    /// - Returns: how many there were; they are the first elements. The others keep their values.
    ///   Fewer than asked for means exhaustion, as nil does for `take()`.
    /// - Complexity: O(n), lock-free. System calls: none.
    @inlinable @inline(__always)
    public func take(into buffers: inout MutableSpan<DMABuffer>) -> Int {
        // Safe: the pointer is used during the call only.
        unsafe buffers.withUnsafeMutableBufferPointer { unsafe take(into: $0) }
    }

    /// The same for storage that is known by a pointer.
    @inlinable @inline(__always)
    public func take(into buffers: UnsafeMutableBufferPointer<DMABuffer>) -> Int {
        guard let first = buffers.baseAddress else { return 0 }
        // Safe: a DMABuffer has the layout of a cdp_buffer, and all of the elements are there.
        let elements = unsafe UnsafeMutableRawPointer(first)
            .assumingMemoryBound(to: cdp_buffer.self)
        return unsafe cdp_pool_take_bulk(pool, elements, buffers.count)
    }

    /// Gives buffers back, from any thread. The device must be done with them.
    ///
    /// - Precondition: as for `give(_:)`, of each.
    /// - Complexity: O(n), lock-free. System calls: none.
    @inlinable @inline(__always)
    public func give(_ buffers: Span<DMABuffer>) {
        // Safe: the pointer is used during the call only.
        unsafe buffers.withUnsafeBufferPointer { unsafe give($0) }
    }

    /// The same for storage that is known by a pointer.
    @inlinable @inline(__always)
    public func give(_ buffers: UnsafeBufferPointer<DMABuffer>) {
        guard let first = buffers.baseAddress else { return }
        // Safe: as above.
        let elements = unsafe UnsafeRawPointer(first).assumingMemoryBound(to: cdp_buffer.self)
        unsafe cdp_pool_give_bulk(pool, elements, buffers.count)
    }
}
