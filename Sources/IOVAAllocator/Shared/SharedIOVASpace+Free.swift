internal import CDatapath

extension SharedIOVASpace {
    /// How many ranges of a size a full cache gives back at once.
    private var batch: UInt32 { 32 }

    /// Frees a region by its handle, on whichever thread; the range is free for reuse at once.
    ///
    /// - Returns: the range that was freed.
    /// - Throws: `.noSuchRegion` for a stale or foreign handle, or one in quarantine. Of several
    ///   threads that free the same handle, also at once, all but one are told so.
    /// - Complexity: O(1) and without a lock that threads share where the thread's cache has room
    ///   for the range; otherwise O(log n) under the space's lock. Never needs memory.
    @discardableResult
    @inline(__always)
    public func free(_ handle: IOVAHandle) throws(IOVASpaceError) -> IOVARange {
        if let own = caches.tryEnterOwn() {
            let kept = keep(handle, own)
            own.leave()
            if let kept { return kept }
        }
        return try locked { (space, own) throws(IOVASpaceError) in
            try release(handle, &space, own)
        }
    }

    /// Frees the region that starts at `first`.
    @discardableResult
    public func free(startingAt first: IOVA) throws(IOVASpaceError) -> IOVARange {
        try locked { (space, own) throws(IOVASpaceError) in
            guard let handle = space.liveHandle(startingAt: first) else { throw .noSuchRegion }
            return try release(handle, &space, own)
        }
    }

    /// Keeps a region's range for reuse by this thread. Nil where that cannot be, for whatever
    /// reason; then nothing has changed.
    @inline(__always)
    private func keep(_ handle: IOVAHandle, _ own: ThreadCache) -> IOVARange? {
        guard isWithinReach(handle.slot) else { return nil }
        let state = slots.state(handle.slot)
        guard state.isNamed(by: handle), state.link != 0 else { return nil }
        let index = Int(state.link &- 1)
        let size = RangeClass.byteCount(index, granuleShift: granuleShift)
        guard own.hasRoom(index, for: size, limits) else { return nil }
        let cached = SlotState(generation: state.generation &+ 1, link: own.head(index))
        guard slots.exchangeState(handle.slot, state, for: cached) else { return nil }
        own.push(index, slot: handle.slot, byteCount: size)
        own.permits &+= 1
        let first = slots.first(handle.slot)
        return IOVARange(first: IOVA(first), last: IOVA(first &+ (size &- 1)))
    }

    @inline(never)
    private func release(
        _ handle: IOVAHandle, _ space: inout IOVASpace, _ own: ThreadCache?
    ) throws(IOVASpaceError) -> IOVARange {
        guard isWithinReach(handle.slot) else { throw .noSuchRegion }
        // Read once: a thread that frees the same handle needs no lock, and its cache's link in
        // place of a class would be an index out of bounds.
        let state = slots.state(handle.slot)
        guard state.isNamed(by: handle) else { throw .noSuchRegion }
        // Never cached: the space's lock is enough, and the space tells quarantined ones.
        guard state.link != 0 else { return try space.free(handle) }
        let index = Int(state.link &- 1)
        let size = RangeClass.byteCount(index, granuleShift: granuleShift)
        if let own {
            if !own.hasRoom(index, for: size, limits) { makeRoom(index, own, &space) }
            if let kept = keep(handle, own) { return kept }
        }
        // A thread that frees the same handle may still come first.
        let cached = SlotState(generation: state.generation &+ 1, link: 0)
        guard slots.exchangeState(handle.slot, state, for: cached) else { throw .noSuchRegion }
        let first = slots.first(handle.slot)
        space.absorb(handle.slot, index, size)
        return IOVARange(first: IOVA(first), last: IOVA(first &+ (size &- 1)))
    }

    /// Gives ranges of a class back, or of others where it has few.
    private func makeRoom(_ index: Int, _ own: ThreadCache, _ space: inout IOVASpace) {
        if own.count(index) >= 8 {
            space.takeBack(index, most: batch, from: own)
        } else if let other = own.nextClass() {
            space.takeBack(other, most: batch, from: own)
        }
    }

    /// Takes a region from its owner without freeing its range, because a device may still reach
    /// it. The handle then serves `releaseQuarantined` alone.
    ///
    /// - Complexity: O(log n), under the space's lock.
    public func quarantine(_ handle: IOVAHandle) throws(IOVASpaceError) {
        try locked { (space, _) throws(IOVASpaceError) in
            guard isWithinReach(handle.slot) else { throw .noSuchRegion }
            let state = slots.state(handle.slot)
            guard state.isNamed(by: handle) else { throw .noSuchRegion }
            if state.link != 0 {
                // From here on no thread can free it without the lock.
                let held = SlotState(generation: state.generation, link: 0)
                guard slots.exchangeState(handle.slot, state, for: held) else {
                    throw .noSuchRegion
                }
            }
            try space.quarantine(handle)
        }
    }

    /// Frees a quarantined range once no device can reach it any more.
    ///
    /// - Complexity: O(log n), under the space's lock.
    @discardableResult
    public func releaseQuarantined(_ handle: IOVAHandle) throws(IOVASpaceError) -> IOVARange {
        try locked { (space, _) throws(IOVASpaceError) in try space.releaseQuarantined(handle) }
    }
}
