import IOVAAllocator
import TestSupport

/// A space and its oracle, moved step by step together.
///
/// Every answer of the space, refusals and their data included, is held against the oracle's.
struct SpaceModel<Oracle: SpaceOracle>: ~Copyable {
    var space: SpaceUnderTest
    var oracle: Oracle
    let granule: UInt64
    var regionCapacity: Int
    /// Where entries are scarce, `entriesExhausted` may come at any time (and must change nothing).
    let mayRunOutOfEntries: Bool
    var live: [IOVAAllocation] = []
    var quarantined: [IOVAAllocation] = []
    var stale: [IOVAHandle] = []
    var reservations: [(range: IOVARange, policy: ReservationPolicy)] = []
    var ids: [IOVAHandle: Int] = [:]
    private var nextID = 0
    /// How often each kind of outcome came about: a run that never saw one proves nothing of it.
    var outcomes: [String: Int] = [:]

    /// A space without a usable range, and an oracle in the same state.
    ///
    /// - Parameter sharers: threads that share the space; none for a space with one owner.
    init(
        oracle: Oracle, granule: UInt64, regionCapacity: Int, reservationCapacity: Int = 4096,
        magazine: IOVAMagazineLimits = IOVAMagazineLimits(ranges: 32, byteCount: .max),
        mayRunOutOfEntries: Bool = false, sharers: ThreadCrew? = nil
    ) throws(IOVASpaceError) {
        if let sharers {
            let shared = try SharedIOVASpace(
                usable: [], granule: granule, regionCapacity: regionCapacity,
                reservationCapacity: reservationCapacity, magazine: magazine,
                threadCache: magazine)
            space = SpaceUnderTest(shared, crew: sharers)
        } else {
            let single = try IOVASpace(
                usable: [], granule: granule, regionCapacity: regionCapacity,
                reservationCapacity: reservationCapacity, magazine: magazine)
            space = SpaceUnderTest(single)
        }
        self.oracle = oracle
        self.granule = granule
        self.regionCapacity = regionCapacity
        self.mayRunOutOfEntries = mayRunOutOfEntries
    }

    mutating func apply(_ operation: SpaceOperation) throws(Mismatch) {
        if let refusal = wrongArgument(operation) {
            return try expect(refusal, of: operation)
        }
        switch operation {
        case .allocate(let byteCount, let alignment, let placement, let congruentTo, let gaps):
            try allocate(byteCount, alignment, placement, congruentTo, gaps)
        case .free(let handle):
            try free(handle)
        case .freeAt(let address):
            try free(at: address)
        case .quarantine(let handle):
            try quarantine(handle)
        case .release(let handle):
            try release(handle)
        case .reserve(let range, let policy):
            try reserve(range, policy)
        case .cancel(let range, let policy):
            try cancel(range, policy)
        case .addUsable(let range):
            try addUsable(range)
        case .withdrawUsable(let range):
            try withdrawUsable(range)
        case .flush:
            space.flushMagazine()
            try require(space.cachedByteCount == 0, "flushed, and \(space.cachedByteCount) cached")
        case .grow(let regionCapacity, let reservationCapacity):
            try grow(regionCapacity, reservationCapacity)
        }
    }

    mutating func count(_ outcome: String) { outcomes[outcome, default: 0] += 1 }

    /// `entriesExhausted` where the run allows for it.
    mutating func isExpectedExhaustion(_ error: IOVASpaceError) -> Bool {
        guard mayRunOutOfEntries, case .entriesExhausted = error else { return false }
        count("entriesExhausted")
        return true
    }

    mutating func record(_ allocation: IOVAAllocation, _ gaps: IOVAGuardGaps) {
        nextID += 1
        ids[allocation.handle] = nextID
        live.append(allocation)
        let range = allocation.range.raw
        oracle.place(range, id: nextID, isGap: false)
        if gaps.before > 0 {
            let first = range.lowerBound - gaps.before
            oracle.place(first...range.lowerBound - 1, id: nextID, isGap: true)
        }
        if gaps.behind > 0 {
            let last = range.upperBound + gaps.behind
            oracle.place((range.upperBound + 1)...last, id: nextID, isGap: true)
        }
    }

    /// The region is gone from the space: so it goes here.
    mutating func forget(_ allocation: IOVAAllocation) {
        oracle.remove(id: ids[allocation.handle] ?? -1)
        ids[allocation.handle] = nil
        stale.append(allocation.handle)
        if stale.count > 64 { stale.removeFirst() }
    }

    /// Whether an error's entry is what the oracle names.
    func isSame(_ entry: IOVAEntry, _ expected: OracleEntry) -> Bool {
        clipped(entry) == expected
    }

    /// The oracle's words for an entry, cut to what the oracle knows.
    func clipped(_ entry: IOVAEntry) -> OracleEntry {
        let kind: OracleKind
        switch entry.kind {
        case .region: kind = .region(entry.handle.flatMap { ids[$0] } ?? -1)
        case .quarantined: kind = .quarantined(entry.handle.flatMap { ids[$0] } ?? -1)
        case .guardGap: kind = .gap(entry.handle.flatMap { ids[$0] } ?? -1)
        case .reserved(.guarded): kind = .guarded
        case .reserved(.placeable): kind = .placeable
        case .unusable: kind = .unusable
        }
        return OracleEntry(
            max(entry.range.first.rawValue, oracle.span.lowerBound),
            min(entry.range.last.rawValue, oracle.span.upperBound), kind)
    }
}
