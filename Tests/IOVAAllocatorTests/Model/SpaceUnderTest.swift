import IOVAAllocator
import TestSupport

/// What a model run drives: a space with one owner, or one that a crew of threads shares.
///
/// On a shared one every change is made by another thread than the one before, one at a time: the
/// outcome is as determined as with one thread, while freed ranges wait in everybody's caches.
struct SpaceUnderTest: ~Copyable {
    private var single: IOVASpace?
    private let shared: SharedIOVASpace?
    private let crew: ThreadCrew?
    private var turn = 0

    init(_ space: consuming IOVASpace) {
        single = consume space
        (shared, crew) = (nil, nil)
    }

    init(_ space: SharedIOVASpace, crew: ThreadCrew) {
        single = nil
        (shared, self.crew) = (space, crew)
    }

    /// One change, by whose turn it is.
    private mutating func change<R>(
        _ inSingle: (inout IOVASpace) throws(IOVASpaceError) -> R,
        _ inShared: (SharedIOVASpace) throws(IOVASpaceError) -> R
    ) throws(IOVASpaceError) -> R {
        guard let shared, let crew else { return try inSingle(&single!) }
        // Not in turn for ever: neighbours in the sequence shall meet on one thread, too.
        turn = (turn &* 5 &+ 3) % 64
        return try crew.run(on: turn / 5 % crew.count) { () throws(IOVASpaceError) in
            try inShared(shared)
        }
    }

    mutating func allocate(
        byteCount: UInt64, alignment: UInt64 = 4096, placement: IOVAPlacement = .anywhere(),
        congruentTo: UInt64 = 0, guardGaps: IOVAGuardGaps = IOVAGuardGaps()
    ) throws(IOVASpaceError) -> IOVAAllocation {
        try change { (space) throws(IOVASpaceError) in
            try space.allocate(
                byteCount: byteCount, alignment: alignment, placement: placement,
                congruentTo: congruentTo, guardGaps: guardGaps)
        } _: { (space) throws(IOVASpaceError) in
            try space.allocate(
                byteCount: byteCount, alignment: alignment, placement: placement,
                congruentTo: congruentTo, guardGaps: guardGaps)
        }
    }

    mutating func flushMagazine() {
        if let shared { shared.flushMagazine() } else { single!.flushMagazine() }
    }

    mutating func free(_ handle: IOVAHandle) throws(IOVASpaceError) -> IOVARange {
        try change { (space) throws(IOVASpaceError) in
            try space.free(handle)
        } _: { (space) throws(IOVASpaceError) in
            try space.free(handle)
        }
    }

    mutating func free(startingAt first: IOVA) throws(IOVASpaceError) -> IOVARange {
        try change { (space) throws(IOVASpaceError) in
            try space.free(startingAt: first)
        } _: { (space) throws(IOVASpaceError) in
            try space.free(startingAt: first)
        }
    }

    mutating func quarantine(_ handle: IOVAHandle) throws(IOVASpaceError) {
        try change { (space) throws(IOVASpaceError) in
            try space.quarantine(handle)
        } _: { (space) throws(IOVASpaceError) in
            try space.quarantine(handle)
        }
    }

    mutating func releaseQuarantined(_ handle: IOVAHandle) throws(IOVASpaceError) -> IOVARange {
        try change { (space) throws(IOVASpaceError) in
            try space.releaseQuarantined(handle)
        } _: { (space) throws(IOVASpaceError) in
            try space.releaseQuarantined(handle)
        }
    }

    mutating func reserve(
        _ range: IOVARange, fixedPlacement policy: ReservationPolicy
    ) throws(IOVASpaceError) {
        try change { (space) throws(IOVASpaceError) in
            try space.reserve(range, fixedPlacement: policy)
        } _: { (space) throws(IOVASpaceError) in
            try space.reserve(range, fixedPlacement: policy)
        }
    }

    mutating func cancelReservation(
        _ range: IOVARange, fixedPlacement policy: ReservationPolicy
    ) throws(IOVASpaceError) {
        try change { (space) throws(IOVASpaceError) in
            try space.cancelReservation(range, fixedPlacement: policy)
        } _: { (space) throws(IOVASpaceError) in
            try space.cancelReservation(range, fixedPlacement: policy)
        }
    }

    mutating func addUsable(_ range: IOVARange) throws(IOVASpaceError) {
        try change { (space) throws(IOVASpaceError) in
            try space.addUsable(range)
        } _: { (space) throws(IOVASpaceError) in
            try space.addUsable(range)
        }
    }

    mutating func withdrawUsable(_ range: IOVARange) throws(IOVASpaceError) {
        try change { (space) throws(IOVASpaceError) in
            try space.withdrawUsable(range)
        } _: { (space) throws(IOVASpaceError) in
            try space.withdrawUsable(range)
        }
    }
}

extension SpaceUnderTest {
    mutating func grow(
        regionCapacity: Int, reservationCapacity: Int?
    ) throws(IOVASpaceError) {
        try change { (space) throws(IOVASpaceError) in
            try space.grow(
                regionCapacity: regionCapacity, reservationCapacity: reservationCapacity)
        } _: { (space) throws(IOVASpaceError) in
            try space.grow(
                regionCapacity: regionCapacity, reservationCapacity: reservationCapacity)
        }
    }
}

// What only looks.
extension SpaceUnderTest {
    /// The space of one owner, where it is one.
    func withSingle<R>(_ body: (borrowing IOVASpace) -> R) -> R {
        look(body) { _ in fatalError("a shared space") }
    }

    /// Like `single!`, which would consume.
    private func look<R>(
        _ inSingle: (borrowing IOVASpace) -> R, _ inShared: (SharedIOVASpace) -> R
    ) -> R {
        if let shared { return inShared(shared) }
        switch single {
        case .some(let space): return inSingle(space)
        case .none: fatalError("neither a single nor a shared space")
        }
    }

    var freeByteCount: UInt64 { look({ $0.freeByteCount }, { $0.freeByteCount }) }
    var cachedByteCount: UInt64 { look({ $0.cachedByteCount }, { $0.cachedByteCount }) }
    var usedByteCount: UInt64 { look({ $0.usedByteCount }, { $0.usedByteCount }) }
    var guardGapCount: Int { look({ $0.guardGapCount }, { $0.guardGapCount }) }
    var guardByteCount: UInt64 { look({ $0.guardByteCount }, { $0.guardByteCount }) }
    var quarantinedRegionCount: Int {
        look({ $0.quarantinedRegionCount }, { $0.quarantinedRegionCount })
    }
    var quarantinedByteCount: UInt64 {
        look({ $0.quarantinedByteCount }, { $0.quarantinedByteCount })
    }
    func snapshot() -> IOVASpaceSnapshot { look({ $0.snapshot() }, { $0.snapshot() }) }

    func forEachSpan(
        overlapping range: IOVARange = .all, _ body: (IOVARange, IOVAEntry?) -> Void
    ) {
        look(
            { $0.forEachSpan(overlapping: range, body) },
            { $0.forEachSpan(overlapping: range, body) })
    }

    var regionCapacity: Int { look({ $0.regionCapacity }, { $0.regionCapacity }) }
    var reservationCapacity: Int {
        look({ $0.reservationCapacity }, { $0.reservationCapacity })
    }
    var regionCount: Int { look({ $0.regionCount }, { $0.regionCount }) }

    func entry(containing address: IOVA) -> IOVAEntry? {
        look({ $0.entry(containing: address) }, { $0.entry(containing: address) })
    }

    func entry(_ handle: IOVAHandle) -> IOVAEntry? {
        look({ $0.entry(handle) }, { $0.entry(handle) })
    }

    func firstOverlap(_ range: IOVARange) -> IOVAEntry? {
        look({ $0.firstOverlap(range) }, { $0.firstOverlap(range) })
    }

    func forEachEntry(overlapping range: IOVARange, _ body: (IOVAEntry) -> Void) {
        look(
            { $0.forEachEntry(overlapping: range, body) },
            { $0.forEachEntry(overlapping: range, body) })
    }

    func forEachHole(_ body: (IOVARange) -> Void) {
        look({ $0.forEachHole(body) }, { $0.forEachHole(body) })
    }

    func largestHole(alignment: UInt64) -> UInt64 {
        look({ $0.largestHole(alignment: alignment) }, { $0.largestHole(alignment: alignment) })
    }

    func invariantViolation() -> String? {
        look({ $0.invariantViolation() }, { $0.invariantViolation() })
    }
}
