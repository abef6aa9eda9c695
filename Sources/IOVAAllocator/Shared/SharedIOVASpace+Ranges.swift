// What needs all that is free, or the whole space at rest. See `IOVASpace` for each operation.

extension SharedIOVASpace {
    /// Gives everything that is kept for reuse back to the tree, on every thread's behalf.
    ///
    /// - Complexity: O(k log n) for the k ranges in all caches.
    public func flushMagazine() {
        drained { $0.flushMagazine() }
    }

    /// Keeps the allocator from ever choosing an address in `range`.
    public func reserve(
        _ range: IOVARange, fixedPlacement policy: ReservationPolicy
    ) throws(IOVASpaceError) {
        try drained { (space) throws(IOVASpaceError) in
            try space.reserve(range, fixedPlacement: policy)
        }
    }

    /// Withdraws one reservation of exactly `range` and `policy`.
    public func cancelReservation(
        _ range: IOVARange, fixedPlacement policy: ReservationPolicy
    ) throws(IOVASpaceError) {
        try drained { (space) throws(IOVASpaceError) in
            try space.cancelReservation(range, fixedPlacement: policy)
        }
    }

    /// Raises the capacity that was stated at creation; see `IOVASpace.grow`.
    ///
    /// Other threads wait while it lasts, those too that would need no lock. What each thread keeps
    /// for reuse stays with it.
    ///
    /// - Complexity: O(n), under the space's lock and with every thread's cache held.
    public func grow(
        regionCapacity: Int, reservationCapacity: Int? = nil
    ) throws(IOVASpaceError) {
        try lockedAll { (space) throws(IOVASpaceError) in
            try space.grow(
                regionCapacity: regionCapacity, reservationCapacity: reservationCapacity)
            publishSlots(space)
        }
    }

    /// Makes a range usable.
    public func addUsable(_ range: IOVARange) throws(IOVASpaceError) {
        try drained { (space) throws(IOVASpaceError) in
            try space.addUsable(range)
            renewByteLimits(space)
        }
    }

    /// Takes a wholly free range out of the space again.
    public func withdrawUsable(_ range: IOVARange) throws(IOVASpaceError) {
        try drained { (space) throws(IOVASpaceError) in
            try space.withdrawUsable(range)
            renewByteLimits(space)
        }
    }
}

// What only looks: under the space's lock and with every cache held, so that threads wait while a
// walk lasts.

extension SharedIOVASpace {
    /// The bytes free for placement, saturated at 2^64-1.
    public var freeByteCount: UInt64 { lockedAll { $0.freeByteCount } }

    /// The bytes of it that are kept for reuse, by threads or for all of them.
    public var cachedByteCount: UInt64 { lockedAll { $0.cachedByteCount } }

    /// The bytes of live regions, saturated at 2^64-1.
    public var usedByteCount: UInt64 { lockedAll { $0.usedByteCount } }

    /// How many regions may exist at once.
    public var regionCapacity: Int { locked { (space, _) in space.regionCapacity } }

    /// How many pieces of reservations, gaps between usable ranges, cuts through reservations and
    /// guard gaps may exist at once.
    public var reservationCapacity: Int { locked { (space, _) in space.reservationCapacity } }

    /// The number of live regions.
    public var regionCount: Int { lockedAll { $0.regionCount } }

    /// The guard gaps beside live and quarantined regions, and their bytes.
    public var guardGapCount: Int { lockedAll { $0.guardGapCount } }

    /// See `guardGapCount`; saturated at 2^64-1.
    public var guardByteCount: UInt64 { lockedAll { $0.guardByteCount } }

    /// The regions in quarantine.
    public var quarantinedRegionCount: Int { lockedAll { $0.quarantinedRegionCount } }

    /// The bytes of these, saturated at 2^64-1.
    public var quarantinedByteCount: UInt64 { lockedAll { $0.quarantinedByteCount } }

    /// Everything that can be counted, at one moment.
    /// - Complexity: as `IOVASpace.snapshot()`; other threads wait meanwhile.
    public func snapshot() -> IOVASpaceSnapshot { lockedAll { $0.snapshot() } }

    /// What holds `address`, or nil where it is free.
    /// - Complexity: O(log n).
    public func entry(containing address: IOVA) -> IOVAEntry? {
        lockedAll { $0.entry(containing: address) }
    }

    /// What a handle names, live or quarantined; nil where it is stale.
    /// - Complexity: O(log n).
    public func entry(_ handle: IOVAHandle) -> IOVAEntry? { lockedAll { $0.entry(handle) } }

    /// The first entry that shares an address with `range`, or nil where all of it is free.
    /// - Complexity: O(log n).
    public func firstOverlap(_ range: IOVARange) -> IOVAEntry? {
        lockedAll { $0.firstOverlap(range) }
    }

    /// All entries in address order, as they are at one moment: other threads wait meanwhile.
    ///
    /// - Parameter body: must not use the space: it would wait for itself.
    /// - Complexity: O(n).
    public func forEachEntry(_ body: (IOVAEntry) -> Void) { lockedAll { $0.forEachEntry(body) } }

    /// The entries that share an address with `range`, in address order; see `forEachEntry(_:)`.
    /// - Complexity: O(log n) plus their number.
    public func forEachEntry(overlapping range: IOVARange, _ body: (IOVAEntry) -> Void) {
        lockedAll { $0.forEachEntry(overlapping: range, body) }
    }

    /// All holes in address order: what is free, and as large as it goes; see `forEachEntry(_:)`.
    /// - Complexity: O(n).
    public func forEachHole(_ body: (IOVARange) -> Void) { lockedAll { $0.forEachHole(body) } }

    /// Entries and holes together, in address order; see `IOVASpace.forEachSpan` and
    /// `forEachEntry(_:)`.
    /// - Complexity: O(n).
    public func forEachSpan(
        overlapping range: IOVARange = .all, _ body: (IOVARange, IOVAEntry?) -> Void
    ) {
        lockedAll { $0.forEachSpan(overlapping: range, body) }
    }

    /// The most bytes that one allocation at this alignment could have.
    /// - Complexity: O(n); less where nothing is kept for reuse, see `IOVASpace`.
    public func largestHole(alignment: UInt64 = 4096) -> UInt64 {
        lockedAll { $0.largestHole(alignment: alignment) }
    }

    /// The bytes that the metadata in use occupies, or once occupied, the threads' caches included.
    public var metadataByteCount: Int {
        lockedAll {
            $0.metadataByteCount + ThreadCaches.byteCount(used: $0.lending.cacheCount)
        }
    }

    /// What a correct space never shows, in words; nil where all invariants hold.
    ///
    /// For tests: it walks everything.
    /// - Complexity: O(n log n).
    public func invariantViolation() -> String? {
        lockedAll { space in space.invariantViolation() ?? cacheViolation(space) }
    }
}
