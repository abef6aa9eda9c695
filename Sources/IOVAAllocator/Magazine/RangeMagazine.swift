/// How much a space may keep in front of its tree for reuse.
///
/// What is kept counts as free in every figure and look-up, and goes back to the tree before a
/// fixed placement, before "full" is said, before a range is withdrawn, and on request: so that
/// exactness is never lost.
public struct IOVAMagazineLimits: Hashable, Sendable {
    /// Ranges in all.
    public var ranges: Int
    /// Ranges of one size.
    public var rangesPerSize: Int
    /// Bytes in all; nil for a share of the usable bytes.
    public var byteCount: UInt64?

    public init(ranges: Int, rangesPerSize: Int = 256, byteCount: UInt64? = nil) {
        self.ranges = ranges
        self.rangesPerSize = rangesPerSize
        self.byteCount = byteCount
    }

    /// No magazine: every allocation and free asks the tree.
    public static let off = IOVAMagazineLimits(ranges: 0, rangesPerSize: 0, byteCount: 0)

    /// What suits a number of regions: room for the swings of a steady load.
    public static func suited(to regionCapacity: Int) -> IOVAMagazineLimits {
        IOVAMagazineLimits(ranges: min(max(regionCapacity / 2, 64), 1 << 14))
    }
}

/// Freed ranges by exact size, last in, first out: a free and an allocation of the same size meet
/// here in O(1) and leave the tree alone.
///
/// A cached range keeps its entry in the tree and its slot in the handle table, whose link chains
/// the ranges of a class. The magazine holds the heads and the counts.
@safe
struct RangeMagazine: ~Copyable {
    private struct List {
        var head: UInt32
        var count: UInt16
        /// The magazine's round when a range was last taken from here.
        var round: UInt16
    }

    private let lists: UnsafeMutablePointer<List>
    private(set) var count = 0
    private(set) var byteCount: UInt64 = 0
    /// Keeps the compiler from dropping loads that are made for the cache's sake.
    private var warmth: UInt64 = 0
    /// Where the last look for a stale class ended, and how often it has passed all of them.
    private(set) var hand = 0
    private(set) var round: UInt16 = 0
    let countLimit: Int
    let classLimit: UInt32
    /// How many small ranges are taken from the tree at once when there are none of a size; half
    /// as many from 2 MiB on.
    let refillCount: Int
    var byteLimit: UInt64
    /// Whether the space is more than half full, so that where regions lie matters.
    var isSpaceTight = false
    private(set) var freesSinceBypass = 0
    /// While space is tight, one free in so many goes past the magazine: its hole closes with its
    /// neighbours, and the next region of that size goes to the lowest hole. Exact reuse alone
    /// keeps every region where the first one of its size happened to lie, and the holes between
    /// them too small for the large sizes for ever; a few percent of the tree's own traffic packs
    /// regions as closely as the tree alone does. The more regions, the less one of them matters.
    private let bypassPeriod: Int

    /// The bytes of the lists, whatever they hold.
    static var metadataByteCount: Int { RangeClass.count * MemoryLayout<List>.stride }

    init(_ limits: IOVAMagazineLimits) {
        unsafe lists = .allocate(capacity: RangeClass.count)
        unsafe lists.initialize(
            repeating: List(head: .max, count: 0, round: 0), count: RangeClass.count)
        // Where no range of any size may be kept, none is.
        countLimit = limits.rangesPerSize > 0 ? limits.ranges : 0
        classLimit = UInt32(UInt16(clamping: limits.rangesPerSize))
        byteLimit = limits.byteCount ?? 0
        bypassPeriod = min(max(limits.ranges / 16, 32), 1024)
        refillCount = limits.ranges < 2048 ? 8 : 16
    }

    deinit { unsafe lists.deallocate() }

    // In bounds: a class index is below `RangeClass.count` (see `RangeClass.index`).
    @inline(__always)
    func head(_ index: Int) -> UInt32 { unsafe lists[index].head }

    @inline(__always)
    func count(_ index: Int) -> UInt32 { UInt32(unsafe lists[index].count) }

    /// The round in which a range of the class was last asked for.
    func round(_ index: Int) -> UInt16 { unsafe lists[index].round }

    @inline(__always)
    mutating func noteWarmth(_ loaded: UInt64) { warmth = loaded }

    /// Whether a free is one of those that go past the magazine.
    @inline(__always)
    mutating func isBypassDue() -> Bool {
        guard isSpaceTight else { return false }
        freesSinceBypass &+= 1
        guard freesSinceBypass >= bypassPeriod else { return false }
        freesSinceBypass = 0
        return true
    }

    /// Whether one more range fits by the limits of the whole magazine.
    @inline(__always)
    func hasRoom(for bytes: UInt64) -> Bool {
        count < countLimit && bytes <= byteLimit && byteCount <= byteLimit &- bytes
    }

    /// - Returns: the head before, which the range's slot links to.
    @inline(__always)
    mutating func push(_ index: Int, slot: UInt32, byteCount bytes: UInt64) -> UInt32 {
        let below = unsafe lists[index].head
        unsafe lists[index].head = slot
        unsafe lists[index].count &+= 1
        count &+= 1
        byteCount &+= bytes
        return below
    }

    /// Takes the head off; `below` is what its slot links to.
    @inline(__always)
    mutating func pop(_ index: Int, below: UInt32, byteCount bytes: UInt64) {
        unsafe lists[index].head = below
        unsafe lists[index].count &-= 1
        unsafe lists[index].round = round
        count &-= 1
        byteCount &-= bytes
    }

    /// A class that holds ranges and that nobody has asked for in a while, or nil where the next
    /// few classes hold none: what is no longer asked for must not keep out what is.
    mutating func staleClass() -> Int? {
        for _ in 0..<32 {
            // In bounds: the hand stays below the number of classes.
            if unsafe lists[hand].count > 0, unsafe round &- lists[hand].round > 2 { return hand }
            hand &+= 1
            if hand == RangeClass.count {
                hand = 0
                round &+= 1
            }
        }
        return nil
    }
}
