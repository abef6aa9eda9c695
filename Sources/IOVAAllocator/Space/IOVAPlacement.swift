/// Where in the space a range is put.
@frozen
public enum IOVAPlacement: Hashable, Sendable {
    /// Anywhere free.
    case anywhere(IOVASearchOrder = .any)
    /// Exactly at this address. `overReservations` marks a placement over a guarded reservation
    /// as deliberate.
    case fixed(IOVA, overReservations: Bool = false)
    /// Wholly inside a window: 32-bit devices, for one.
    case within(IOVARange, IOVASearchOrder = .any)
}

/// Which of the fitting holes is taken.
@frozen
public enum IOVASearchOrder: Hashable, Sendable {
    /// Whichever is quickest to find; low addresses first.
    case any
    /// The lowest address, or the highest, at which the request fits.
    case lowest, highest
    /// The smallest hole that holds the request, and the lowest of several alike; in it, the lowest
    /// address. Large holes stay whole for longer. The hole counts in full, also where a window
    /// cuts it.
    ///
    /// The one order that may look at every hole; see `IOVASpace.allocate`. A free and an
    /// allocation at 100,000 regions, by `vdpa-bench` (W5) on an AMD EPYC: 0.5 microseconds where a
    /// hole of the size is met early, in a range 80 % full; 58 where all of 50,000 holes are
    /// larger.
    case bestFit
}

/// What a reservation means for a fixed placement. Addresses under a reservation are never chosen
/// by the allocator, whatever the policy.
@frozen
public enum ReservationPolicy: UInt32, Hashable, Sendable {
    /// A fixed placement is ordinary: the page of IOVA 0, where guest memory may start.
    case placeable = 0
    /// A fixed placement must be marked as deliberate: the caller's own reservations and the
    /// platform's windows.
    case guarded = 1
}

/// A range that was handed out.
@frozen
public struct IOVAAllocation: Hashable, Sendable {
    public let range: IOVARange
    public let handle: IOVAHandle

    @inlinable
    init(range: IOVARange, handle: IOVAHandle) {
        self.range = range
        self.handle = handle
    }
}

/// One entry of the space, as a look-up or a walk sees it.
public struct IOVAEntry: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// Handed out and not freed.
        case region
        /// Freed by its owner, but not yet free for reuse.
        case quarantined
        /// Kept free beside a region, live or quarantined, until that is freed.
        case guardGap
        /// Under a reservation.
        case reserved(ReservationPolicy)
        /// Outside the usable ranges.
        case unusable
    }

    public let range: IOVARange
    public let kind: Kind
    /// For a region or a quarantined range; for a guard gap, the region that it belongs to.
    public let handle: IOVAHandle?
}
