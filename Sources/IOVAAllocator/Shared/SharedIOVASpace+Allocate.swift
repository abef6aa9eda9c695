internal import CDatapath

extension SharedIOVASpace {
    /// How many ranges, and permits, a thread takes from the space at once.
    private var batch: Int { 16 }

    /// Hands out a range from anywhere free.
    ///
    /// - Parameters:
    ///   - byteCount: at least 1; rounded up to whole granules.
    ///   - alignment: a power of two up to 2^63; never less than the granule.
    /// - Throws: `.noSpace` only where no fitting hole exists, `.capacityExhausted` only where
    ///   `regionCapacity` regions exist, or what is wrong with the request. Nothing has changed
    ///   then, except that ranges kept for reuse have gone back to the tree.
    /// - Complexity: O(1) and without a lock that threads share where the thread has freed a range
    ///   of this size; otherwise O(log n) under the space's lock, for several ranges at once; O(k
    ///   log n) for the k ranges in all caches before it fails.
    @inline(__always)
    public func allocate(
        byteCount: UInt64, alignment: UInt64 = 4096
    ) throws(IOVASpaceError) -> IOVAAllocation {
        let (padded, overflow) = byteCount.addingReportingOverflow(granule &- 1)
        let size = padded & ~(granule &- 1)
        if byteCount > 0, !overflow, alignment.nonzeroBitCount == 1,
            let index = RangeClass.index(byteCount: size, granuleShift: granuleShift),
            let own = caches.tryEnterOwn()
        {
            let cached = reuse(index, size, alignment, own)
            own.leave()
            if let cached { return cached }
        }
        return try allocateUnderLock(byteCount, alignment, .anywhere(), 0)
    }

    /// Hands out a range, at a chosen place where wanted; see `IOVASpace.allocate`.
    ///
    /// - Complexity: as `allocate(byteCount:alignment:)` for `.anywhere(.any)`, where only a
    ///   congruence always asks the space; within a window O(log n) under the space's lock;
    ///   otherwise O(k log n) for the k ranges in all caches, which go back to the tree first.
    public func allocate(
        byteCount: UInt64, alignment: UInt64 = 4096, placement: IOVAPlacement,
        congruentTo: UInt64 = 0
    ) throws(IOVASpaceError) -> IOVAAllocation {
        switch placement {
        case .anywhere(.any) where congruentTo == 0:
            return try allocate(byteCount: byteCount, alignment: alignment)
        case .anywhere(.any), .within(_, .any):
            return try allocateUnderLock(byteCount, alignment, placement, congruentTo)
        default:
            return try drained { (space) throws(IOVASpaceError) in
                try space.allocate(
                    byteCount: byteCount, alignment: alignment, placement: placement,
                    congruentTo: congruentTo)
            }
        }
    }

    /// Hands out a range with guard gaps beside it; see `IOVASpace.allocate`.
    ///
    /// - Complexity: O(k log n) for the k ranges in all caches, which go back to the tree first.
    public func allocate(
        byteCount: UInt64, alignment: UInt64 = 4096, placement: IOVAPlacement = .anywhere(),
        congruentTo: UInt64 = 0, guardGaps: IOVAGuardGaps
    ) throws(IOVASpaceError) -> IOVAAllocation {
        guard guardGaps != IOVAGuardGaps() else {
            return try allocate(
                byteCount: byteCount, alignment: alignment, placement: placement,
                congruentTo: congruentTo)
        }
        return try drained { (space) throws(IOVASpaceError) in
            try space.allocate(
                byteCount: byteCount, alignment: alignment, placement: placement,
                congruentTo: congruentTo, guardGaps: guardGaps)
        }
    }

    /// Hands out the range of the class that the thread freed last, if it meets the request and the
    /// thread has a permit left.
    @inline(__always)
    private func reuse(
        _ index: Int, _ size: UInt64, _ alignment: UInt64, _ own: ThreadCache
    ) -> IOVAAllocation? {
        let slot = own.head(index)
        guard slot != .max, own.permits > 0 else { return nil }
        let first = slots.first(slot)
        guard first & (alignment &- 1) == 0 else { return nil }
        let state = slots.state(slot)
        let generation = state.generation &+ 1
        own.pop(index, below: state.link, byteCount: size)
        own.permits &-= 1
        let link = UInt32(truncatingIfNeeded: index &+ 1)
        slots.publishState(slot, SlotState(generation: generation, link: link))
        return IOVAAllocation(
            range: IOVARange(first: IOVA(first), last: IOVA(first &+ (size &- 1))),
            handle: IOVAHandle(slot: slot, generation: generation))
    }

    @inline(never)
    private func allocateUnderLock(
        _ byteCount: UInt64, _ alignment: UInt64, _ placement: IOVAPlacement,
        _ congruentTo: UInt64
    ) throws(IOVASpaceError) -> IOVAAllocation {
        try locked { (space, own) throws(IOVASpaceError) in
            func ask() throws(IOVASpaceError) -> IOVAAllocation {
                try space.allocate(
                    byteCount: byteCount, alignment: alignment, placement: placement,
                    congruentTo: congruentTo)
            }
            let (padded, overflow) = byteCount.addingReportingOverflow(granule &- 1)
            let size = padded & ~(granule &- 1)
            // The space's own answer to a request that makes no sense.
            guard byteCount > 0, !overflow, alignment.nonzeroBitCount == 1 else {
                return try ask()
            }
            var index: Int?
            if case .anywhere(.any) = placement, congruentTo == 0 {
                index = RangeClass.index(byteCount: size, granuleShift: granuleShift)
            }
            if let own, let index {
                // Ranges of the size may have been there all the time, without a permit.
                if own.permits == 0, own.count(index) > 0 { space.grant(batch, to: own) }
                if let cached = reuse(index, size, alignment, own) { return cached }
            }
            makeAllowance(&space, own)
            if let found = try? ask() {
                if let own, let index { space.lend(index, most: batch - 1, to: own, limits) }
                return found
            }
            // Only now is it known whether the space is full.
            enterAll(space, except: own)
            defer { leaveAll(space, except: own) }
            takeAllBack(&space)
            return try ask()
        }
    }

    /// Sees to it that the space may hand out one region more, if any cache has a permit for it.
    private func makeAllowance(_ space: inout IOVASpace, _ own: ThreadCache?) {
        if let own, own.permits > 0, space.lending.room > 0 {
            own.permits -= 1
            space.lending.spare += 1
        } else if space.isFull {
            enterAll(space, except: own)
            defer { leaveAll(space, except: own) }
            revokeAll(&space)
        }
    }
}
