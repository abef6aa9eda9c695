package import HostMemory

/// How a domain behaves.
public struct DMADomainOptions: Sendable {
    /// How many regions may live at once. The IOVA space's bookkeeping for all of them is taken and
    /// populated at creation, about 45 bytes a region.
    public var regionCapacity: Int
    /// When freed memory is unmapped.
    public var unmapping: Unmapping
    /// Ranges that the library never chooses; a fixed placement over one must be marked.
    public var reserved: [IOVARange]
    /// Part of the device's range to stay inside; nil for all of it.
    public var window: IOVARange?
    /// Told what happens: mappings made, unmapped, quarantined and flushed, what was short. Called
    /// by the thread that did it, after it has let go of the domain's lock, so that it may use the
    /// domain; several threads may call at once. nil costs nothing.
    public var observer: (@Sendable (DMAEvent) -> Void)?
    /// For debugging: the library's memory that waits in quarantine is filled with a pattern, and
    /// looked at once it is unmapped. What a device has written there meanwhile is told to the
    /// `observer` and counted (`DMAStatistics.writesAfterFree`). Costs two passes over the memory
    /// under the domain's lock. Use it with `unmapping: .deferred`.
    public var detectsWritesAfterFree = false
    /// Whether the soft limit on locked memory is raised to the hard one (setrlimit(2), for the
    /// whole process) when a mapping needs it.
    public var raisesLockedMemoryLimit = false
    /// Whether nothing is mapped or unmapped while a queue of some device is enabled: a VDUSE
    /// daemon may drop all that it has mapped on every message, under its running queues. Then what
    /// needs a message is refused (`queuesEnabled`), and a free waits in quarantine until the
    /// queues have stopped and something is flushed. Regions that need no message come and go as
    /// ever. `remap()` and `close()` are done all the same.
    ///
    /// Queues count that were enabled through the device's `VDPADevice`.
    public var refusesMappingWhileQueuesEnabled = false
    /// Nanoseconds of a clock that never goes back; a test has its own.
    package var clock: @Sendable () -> UInt64 = { MonotonicClock.nanoseconds() }
    /// How many mappings the translator's tables may take; a test lets one of them fail.
    package var translatorMappingLimit = UInt64.max
    /// The calls that memory is had with, which a test can make fail.
    package var hostCalls = SystemCalls()

    /// The defaults suit a datapath with thousands of regions on one device.
    public init(
        regionCapacity: Int = 65_536, unmapping: Unmapping = .immediate,
        reserved: [IOVARange] = [], window: IOVARange? = nil,
        observer: (@Sendable (DMAEvent) -> Void)? = nil
    ) {
        self.regionCapacity = regionCapacity
        self.unmapping = unmapping
        self.reserved = reserved
        self.window = window
        self.observer = observer
    }

    /// When freed memory is unmapped.
    public enum Unmapping: Hashable, Sendable {
        /// A free of a dedicated region returns when the device has let go.
        case immediate
        /// Freed dedicated regions and emptied shared extents wait, memory and IOVA both, until
        /// more than so many bytes or extents wait, until one has waited for longer than
        /// `maximumAge`, until `flush()`, or until space or a budget runs short; then one batch
        /// unmaps them all.
        ///
        /// The library has no thread of its own: an age is looked at by the calls that map or
        /// unmap. For an application that may fall silent, a timer calls `flush(olderThan:)`.
        case deferred(
            maximumBytes: UInt64, maximumExtents: Int = .max, maximumAge: Duration? = nil)
    }
}

/// Where a region is put.
public enum Placement: Hashable, Sendable {
    /// Anywhere free.
    case anywhere
    /// Exactly here. `deliberately` allows a reservation or a platform's window underneath.
    case fixed(IOVA, deliberately: Bool = false)
    /// Wholly inside a window: `[0, 2^32-1]` for a device with 32 address bits.
    case within(IOVARange)
    /// At the IOVA that equals the memory's address.
    case identity

    /// Whether the address is the caller's choice.
    var isChosen: Bool {
        switch self {
        case .fixed, .identity: true
        case .anywhere, .within: false
        }
    }
}

/// Whether a region may share its mapping with others.
public enum Isolation: Hashable, Sendable {
    /// `.shared` below 2 MiB, `.dedicated` from there on. Registered memory: `.dedicated`.
    case automatic
    /// Part of a larger mapping. The device can reach the range until the whole mapping goes, and
    /// the range can be reused at once: who frees it vouches that the device is done with it.
    case shared
    /// A mapping of its own, which goes with the region.
    case dedicated
}
