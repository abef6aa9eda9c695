/// An allocator for device addresses: exact, by address, over up to 2^64 bytes.
///
/// An interval tree is the truth about the space; see `IntervalTree`. An allocation fails only
/// where no hole fits, and any address can be looked up.
///
/// The capacity is stated at creation: a full space is an error, and grows only where it is asked
/// to, by `grow`. The metadata for all of it costs address space at once, and memory too unless
/// `IOVAMetadataOptions.isPopulated` is off: then only as regions come to exist.
///
/// Who may touch what: one owner at a time; nothing here is thread-safe. `DMADomain` puts it
/// behind its own lock; `SharedIOVASpace` is one for several threads.
public struct IOVASpace: ~Copyable {
    var tree: IntervalTree
    var handles: HandleTable
    var magazine: RangeMagazine
    /// What threads hold, where they share the space.
    var lending: Lending
    var reservations: [Reservation]
    /// Entries that freeing regions over reservations may bring back: kept in reserve, so that a
    /// free never fails.
    var restoreDebt: Int
    /// Free bytes modulo 2^64.
    var freeBytes: UInt64
    /// Bytes of live regions modulo 2^64.
    var usedBytes: UInt64
    var quarantinedCount: Int

    /// The unit of all ranges in bytes, a power of two.
    public let granule: UInt64
    let granuleShift: UInt64
    /// How many regions may live at once.
    public internal(set) var regionCapacity: Int
    /// Whether the magazine's bytes were stated, or follow the usable bytes.
    let hasByteLimit: Bool

    // Behind what every allocation reads.

    /// Bytes in quarantine, and in guard gaps, modulo 2^64.
    var quarantinedBytes: UInt64
    var guardBytes: UInt64
    /// The guard gaps of all regions, live or quarantined.
    public internal(set) var guardGapCount: Int

    /// How many pieces of reservations, gaps between usable ranges, cuts through reservations and
    /// guard gaps may exist at once.
    public internal(set) var reservationCapacity: Int
    /// How many ranges the magazine and the caches of threads may hold: each keeps its entry and
    /// its slot.
    let keptCapacity: Int
    /// For the blocks of a growth, too.
    let metadata: IOVAMetadataOptions

    /// A space of the given ranges, all free.
    ///
    /// - Parameters:
    ///   - usable: disjoint ranges of whole granules, in any order; ranges can be added later.
    ///   - granule: the unit that sizes are rounded up to; a power of two, 1 allowed.
    ///   - regionCapacity: how many regions may exist at once.
    ///   - reservationCapacity: how many pieces of reservations, gaps between usable ranges, cuts
    ///     through reservations and guard gaps may exist at once.
    ///   - magazine: how much is kept for reuse in front of the tree.
    ///   - metadata: how the memory for the space's own bookkeeping is had.
    /// - Complexity: O(k log k) in the number of ranges.
    public init(
        usable: [IOVARange], granule: UInt64 = 4096, regionCapacity: Int,
        reservationCapacity: Int = 4096, magazine: IOVAMagazineLimits? = nil,
        metadata: IOVAMetadataOptions = IOVAMetadataOptions()
    ) throws(IOVASpaceError) {
        self = try Self.make(
            usable, granule, regionCapacity, reservationCapacity,
            magazine ?? .suited(to: regionCapacity), metadata)
    }

    /// - Parameter lendable: how many ranges the caches of threads may hold together; nil where
    ///   the space has one owner.
    static func make(
        _ usable: [IOVARange], _ granule: UInt64, _ regionCapacity: Int,
        _ reservationCapacity: Int, _ magazine: IOVAMagazineLimits,
        _ metadata: IOVAMetadataOptions, lendable: Int? = nil
    ) throws(IOVASpaceError) -> IOVASpace {
        try check(granule, regionCapacity, reservationCapacity)
        try check(granule, regionCapacity, magazine.ranges)
        try check(granule, regionCapacity, lendable ?? 0)
        var space = IOVASpace(
            granule, regionCapacity, reservationCapacity, magazine, metadata, lendable)
        for range in usable { try space.addUsable(range) }
        return space
    }

    /// A space without a usable range.
    ///
    /// Apart, and with a factory in front, because Swift 6.3 does not let the initialiser of a
    /// noncopyable type throw between its assignments.
    private init(
        _ granule: UInt64, _ regionCapacity: Int, _ reservationCapacity: Int,
        _ limits: IOVAMagazineLimits, _ metadata: IOVAMetadataOptions, _ lendable: Int?
    ) {
        self.granule = granule
        granuleShift = UInt64(granule.trailingZeroBitCount)
        self.regionCapacity = regionCapacity
        hasByteLimit = limits.byteCount != nil
        self.reservationCapacity = reservationCapacity
        keptCapacity = limits.ranges + (lendable ?? 0)
        self.metadata = metadata
        let ranges = regionCapacity + keptCapacity
        let populated = metadata.isPopulated ? regionCapacity : 0
        tree = IntervalTree(
            entryCapacity: ranges + reservationCapacity + 2, expectedCount: populated, metadata)
        handles = HandleTable(
            capacity: ranges, populated: populated, metadata, isShared: lendable != nil)
        magazine = RangeMagazine(limits)
        lending = Lending(capacity: lendable ?? 0)
        reservations = []
        restoreDebt = 0
        freeBytes = 0
        usedBytes = 0
        quarantinedCount = 0
        quarantinedBytes = 0
        guardBytes = 0
        guardGapCount = 0
        insert(.all, EntryTag(.unusable))
    }

    static func check(
        _ granule: UInt64, _ regionCapacity: Int, _ reservationCapacity: Int
    ) throws(IOVASpaceError) {
        guard granule.nonzeroBitCount == 1 else { throw .badAlignment(granule) }
        let limit = Int(EntryTag.maximumPayload)
        guard regionCapacity > 0, regionCapacity < limit else {
            throw .badCapacity(regionCapacity)
        }
        guard reservationCapacity >= 0, reservationCapacity < limit else {
            throw .badCapacity(reservationCapacity)
        }
    }

    /// The bytes free for placement, saturated at 2^64-1.
    public var freeByteCount: UInt64 {
        let count = freeBytes &+ cachedByteCount
        return count == 0 && tree.count == cachedCount ? .max : count
    }

    /// The bytes of it that are kept for reuse, whole ranges each.
    public var cachedByteCount: UInt64 { magazine.byteCount &+ lending.byteCount }

    /// The ranges that are kept for reuse.
    @inline(__always)
    var cachedCount: Int { magazine.count &+ lending.count }

    /// The bytes of live regions, saturated at 2^64-1: together they may hold all 2^64.
    public var usedByteCount: UInt64 {
        let count = usedBytes &- lending.byteCount
        return count == 0 && regionCount > 0 ? .max : count
    }

    /// The bytes in quarantine, saturated at 2^64-1; their guard gaps are not among them.
    public var quarantinedByteCount: UInt64 {
        quarantinedBytes == 0 && quarantinedCount > 0 ? .max : quarantinedBytes
    }

    /// The number of quarantined regions.
    public var quarantinedRegionCount: Int { quarantinedCount }

    /// The bytes of all guard gaps: neither used nor free.
    public var guardByteCount: UInt64 { guardBytes }

    /// The number of live regions.
    public var regionCount: Int { handles.count - cachedCount - quarantinedCount }

    /// Whether regions, live or quarantined, and what threads may hand out unasked use up the
    /// capacity.
    @inline(__always)
    var isFull: Bool { handles.count &- magazine.count &- lending.spare >= regionCapacity }

    /// Whether an entry of the tree is a range that is kept for reuse: it is free.
    @inline(__always)
    func isCached(_ cursor: IntervalTree.Cursor) -> Bool {
        guard cachedCount > 0 else { return false }
        let tag = tree.tag(cursor)
        return tag.kind == .region && handles.isCached(tag.payload)
    }

    // MARK: entries in and out of the tree, with the bytes counted

    @inline(__always)
    mutating func insert(_ range: IOVARange, _ tag: EntryTag) {
        let (first, last) = (range.first.rawValue, range.last.rawValue)
        let cursor = tree.locate(first)
        tree.insert(first: first, last: last, tag: tag, behind: cursor)
        freeBytes &-= last &- first &+ 1
    }

    @inline(__always)
    mutating func remove(_ cursor: IntervalTree.Cursor, first: UInt64, last: UInt64) {
        tree.remove(cursor)
        freeBytes &+= last &- first &+ 1
    }

    /// Removes the entry that starts at `first`.
    mutating func removeEntry(startingAt first: UInt64) {
        let cursor = tree.locate(first)
        assert(tree.first(cursor) == first)
        remove(cursor, first: first, last: tree.last(cursor))
    }

    func entry(_ cursor: IntervalTree.Cursor) -> IOVAEntry {
        let tag = tree.tag(cursor)
        let range = IOVARange(first: tree.first(cursor), last: tree.last(cursor))
        switch tag.kind {
        case .region:
            return IOVAEntry(
                range: range, kind: .region, handle: handles.handle(ofSlot: tag.payload))
        case .quarantined:
            return IOVAEntry(
                range: range, kind: .quarantined, handle: handles.handle(ofSlot: tag.payload))
        case .guardGap:
            return IOVAEntry(
                range: range, kind: .guardGap, handle: handles.handle(ofSlot: tag.payload))
        case .reserved:
            let policy = ReservationPolicy(rawValue: tag.payload) ?? .guarded
            return IOVAEntry(range: range, kind: .reserved(policy), handle: nil)
        case .unusable, .sentinel:
            return IOVAEntry(range: range, kind: .unusable, handle: nil)
        }
    }
}
