internal import CDatapath

/// What one thread keeps of a shared space: freed ranges by exact size, last in, first out, and how
/// many regions it may hand out without asking the others.
///
/// The ranges keep their entries in the tree and their slots, whose links chain those of a size.
///
/// Who may touch what: whoever holds the gate. The thread that has the cache's number tries it and
/// goes to the space's lock where it is held; anybody else waits for it, with the space's lock
/// held.
@safe
struct ThreadCache: Equatable {
    struct Header {
        /// Regions that may be handed out from here: so that caches on several threads never hand
        /// out more than the space's capacity together.
        var permits: UInt32
        var count: UInt32
        /// Where the search for a class to empty goes on.
        var rotor: UInt32
        var byteCount: UInt64
        var byteLimit: UInt64
    }

    struct List {
        var head: UInt32
        var count: UInt32
    }

    /// Apart from the header, which belongs to who is in: a `pointee` names all of it.
    private let gate: UnsafeMutablePointer<UInt32>
    private let header: UnsafeMutablePointer<Header>
    private let lists: UnsafeMutablePointer<List>

    static func == (left: ThreadCache, right: ThreadCache) -> Bool {
        unsafe left.gate == right.gate
    }

    // In bounds, here and below: `ThreadCaches` has a header and `RangeClass.count` lists for each
    // number below the capacity, and a class index is below that count.
    /// - Parameter base: a gate, and behind it a header on the same cache line.
    @inline(__always)
    init(_ base: UnsafeMutableRawPointer, _ lists: UnsafeMutablePointer<List>) {
        unsafe gate = base.assumingMemoryBound(to: UInt32.self)
        unsafe header = (base + Self.headerOffset).assumingMemoryBound(to: Header.self)
        unsafe self.lists = lists
    }

    private static var headerOffset: Int { 16 }
    static var byteCount: Int { headerOffset + MemoryLayout<Header>.stride }

    /// Prepares the memory of a cache, closed.
    func initialize() {
        unsafe gate.initialize(to: CDP_GATE_CLOSED)
        unsafe header.initialize(
            to: Header(permits: 0, count: 0, rotor: 0, byteCount: 0, byteLimit: 0))
    }

    @inline(__always)
    func tryEnter() -> Bool { unsafe cdp_gate_try(gate) }

    /// Waits for the gate, which others hold for a few instructions at a time.
    /// - Precondition: the space's lock is held.
    func enter() { unsafe cdp_gate_wait(gate) }

    @inline(__always)
    func leave() { unsafe cdp_gate_leave(gate) }

    /// Whether no thread of this number has used the space.
    var isClosed: Bool { unsafe cdp_gate_is_closed(gate) }

    /// Makes the cache ready, empty, and held.
    /// - Precondition: the space's lock is held and the cache is closed.
    func open(byteLimit: UInt64) {
        unsafe lists.initialize(
            repeating: List(head: .max, count: 0), count: RangeClass.count)
        unsafe header.pointee.byteLimit = byteLimit
        // Nobody can hold a closed gate: leaving it opens it, with what was written before.
        leave()
        enter()
    }

    var permits: UInt32 {
        @inline(__always) get { unsafe header.pointee.permits }
        @inline(__always) nonmutating set { unsafe header.pointee.permits = newValue }
    }

    @inline(__always)
    var count: UInt32 { unsafe header.pointee.count }

    @inline(__always)
    var byteCount: UInt64 { unsafe header.pointee.byteCount }

    func setByteLimit(_ limit: UInt64) { unsafe header.pointee.byteLimit = limit }

    @inline(__always)
    func head(_ index: Int) -> UInt32 { unsafe lists[index].head }

    @inline(__always)
    func count(_ index: Int) -> UInt32 { unsafe lists[index].count }

    /// Whether one more range of a class fits.
    @inline(__always)
    func hasRoom(_ index: Int, for bytes: UInt64, _ limits: ThreadCacheLimits) -> Bool {
        unsafe lists[index].count < limits.perClass && header.pointee.count < limits.ranges
            && bytes <= header.pointee.byteLimit
            && header.pointee.byteCount <= header.pointee.byteLimit &- bytes
    }

    /// Puts a slot on top, whose link is the head that was there before.
    @inline(__always)
    func push(_ index: Int, slot: UInt32, byteCount bytes: UInt64) {
        unsafe lists[index].head = slot
        unsafe lists[index].count &+= 1
        unsafe header.pointee.count &+= 1
        unsafe header.pointee.byteCount &+= bytes
    }

    /// Takes the head off; `below` is what its slot links to.
    @inline(__always)
    func pop(_ index: Int, below: UInt32, byteCount bytes: UInt64) {
        unsafe lists[index].head = below
        unsafe lists[index].count &-= 1
        unsafe header.pointee.count &-= 1
        unsafe header.pointee.byteCount &-= bytes
    }

    /// The next class that holds ranges, one after the other in turn; nil where none does.
    func nextClass() -> Int? {
        guard count > 0 else { return nil }
        for _ in 0..<RangeClass.count {
            let index = unsafe Int(header.pointee.rotor)
            unsafe header.pointee.rotor = UInt32((index + 1) % RangeClass.count)
            if count(index) > 0 { return index }
        }
        return nil
    }
}

/// How much each thread may keep, as words that the fast paths compare.
struct ThreadCacheLimits {
    let perClass: UInt32
    let ranges: UInt32

    init(_ limits: IOVAMagazineLimits) {
        perClass = UInt32(clamping: limits.rangesPerSize)
        // Where no range of any size may be kept, none is.
        ranges = limits.rangesPerSize > 0 ? UInt32(clamping: limits.ranges) : 0
    }

    var isOff: Bool { ranges == 0 }
}

/// The caches of all thread numbers, each on cache lines of its own.
///
/// 2 MiB of addresses; a cache takes memory once a thread of its number has used the space.
@safe
struct ThreadCaches: ~Copyable {
    static var capacity: Int { Int(CDP_THREAD_CAPACITY) }
    /// Two lines: processors fetch them in pairs.
    private static var headerStride: Int { 128 }
    private static var listStride: Int {
        (RangeClass.count * MemoryLayout<ThreadCache.List>.stride + 127) & ~127
    }

    private let headers: UnsafeMutableRawPointer
    private let lists: UnsafeMutableRawPointer

    init() {
        precondition(ThreadCache.byteCount <= Self.headerStride)
        unsafe headers = .allocate(
            byteCount: Self.capacity * Self.headerStride, alignment: Self.headerStride)
        unsafe lists = .allocate(
            byteCount: Self.capacity * Self.listStride, alignment: Self.headerStride)
        for number in 0..<Self.capacity { self[number].initialize() }
    }

    deinit {
        unsafe headers.deallocate()
        unsafe lists.deallocate()
    }

    /// The bytes of all gates and headers, and of the lists of so many caches that threads have
    /// used.
    static func byteCount(used: Int) -> Int { capacity * headerStride + used * listStride }

    /// - Precondition: `number` is below the capacity.
    @inline(__always)
    subscript(number: Int) -> ThreadCache {
        unsafe ThreadCache(
            headers + number &* Self.headerStride,
            (lists + number &* Self.listStride).assumingMemoryBound(to: ThreadCache.List.self))
    }

    /// The calling thread's cache, entered; nil where the thread has no number, its cache is
    /// closed, or somebody else is in it.
    @inline(__always)
    func tryEnterOwn() -> ThreadCache? {
        let number = cdp_thread_index()
        guard number < CDP_THREAD_CAPACITY else { return nil }
        let cache = self[Int(number)]
        return cache.tryEnter() ? cache : nil
    }

    /// The calling thread's number, or nil where all are taken.
    static var ownNumber: Int? {
        let number = cdp_thread_index()
        return number < CDP_THREAD_CAPACITY ? Int(number) : nil
    }
}
