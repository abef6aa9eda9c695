internal import CDatapath

/// An IOVA space that several threads share: an `IOVASpace` behind one lock, and for each thread a
/// cache of freed ranges, so that a free and an allocation of a size that the thread has freed
/// before touch nothing that another thread writes.
///
/// A class, because threads share its ownership: counting references costs only where the space is
/// passed on, and no operation here counts any.
///
/// **Exactness.** A range in a cache is free: for look-up, walk, statistics and double free. What
/// needs all that is free (a fixed placement, the lowest or highest place, a reservation, a change
/// of the usable ranges) takes every cache's ranges back first. An allocation fails only at a
/// moment at which the space's lock and every cache are held, no range is in any cache or magazine,
/// and no fitting hole exists, or `regionCapacity` regions do; that moment is where it takes
/// effect. A successful allocation or free takes effect where the region's handle becomes valid or
/// stale, and any other operation while its locks are held. So each operation happens at one moment
/// between its call and its return, and the order of these moments is the same for all threads.
///
/// **Capacity.** No more than `regionCapacity` regions exist at once, live or quarantined. Each
/// cache holds permits: how many regions its thread may hand out without asking. A free leaves its
/// permit in the thread's cache, and a thread that has none takes some that nobody holds, or takes
/// all of them back from the caches, before it says that the capacity is used up.
///
/// **Locks.** The space's lock protects the tree, the magazine, the reservations and every free
/// slot. Each cache has a gate. Its thread tries it and, where somebody is in, goes to the space's
/// lock; others wait for it only while they hold the space's lock, and who is in a cache without
/// that lock waits for nothing. So the order is: space, then caches; among caches none is needed.
/// - Through its gate alone a thread moves slots between in use and its cache: `free` exchanges a
///   slot's state (generation and link, one atomic word; acquire and release) and so is the only
///   one of several that free the same handle; `allocate` stores it (release), as nobody else may
///   touch a cached slot.
/// - A slot in use whose link is 0 is never cached; it changes under the space's lock alone. To
///   quarantine a region sets its link to 0, by an exchange.
/// - How far the slots reach is published (release) before a handle from there is returned, and
///   read (acquire) before a slot is looked at.
/// - Where the slots lie changes only when the space grows, with its lock and every open cache
///   held: who looks at a slot holds one of these, and asks where they lie only then.
///
/// **Threads.** Up to 256 at once have a cache; others share the space's lock and magazine. Caches
/// go by thread numbers: what an ended thread has left serves the next thread of its number, and
/// any thread takes it back as above. A thread's first operation makes its cache ready: 8 KiB of
/// the 2 MiB of addresses that were taken for all of them at creation.
///
/// System calls: none, except to wait for the space's lock.
@safe
public final class SharedIOVASpace: @unchecked Sendable {
    // Safe to send: everything that changes lies behind the locks described above.
    private let core: UnsafeMutablePointer<IOVASpace>
    private let mutex: OpaquePointer
    /// The published frontier of the slots, and where they lie, on cache lines of their own.
    private let reach: UnsafeMutablePointer<UInt64>
    private let place: UnsafeMutablePointer<HandleSlots>
    let caches = ThreadCaches()
    let limits: ThreadCacheLimits
    /// The bytes that a cache may keep; nil for a share of what the space's magazine may.
    private let cacheByteLimit: UInt64?
    let granuleShift: UInt64

    /// The unit of all ranges in bytes, a power of two.
    public let granule: UInt64

    /// How many full caches the slots and entries are enough for. Where threads keep more, a refill
    /// brings single ranges, and the caches are emptied before any allocation is refused.
    private static var fullCaches: Int { 16 }

    /// A space of the given ranges, all free.
    ///
    /// - Parameters:
    ///   - usable: disjoint ranges of whole granules, in any order; ranges can be added later.
    ///   - granule: the unit that sizes are rounded up to; a power of two, 1 allowed.
    ///   - regionCapacity: how many regions may exist at once.
    ///   - reservationCapacity: how many pieces of reservations, gaps between usable ranges and
    ///     cuts through reservations may exist at once.
    ///   - magazine: how much is kept for reuse by all threads, behind the lock.
    ///   - threadCache: how much each thread keeps; by default half as many ranges as the
    ///     magazine, but 1024 at least, of a quarter of its bytes; nothing where it is off.
    ///   - metadata: how the memory for the space's own bookkeeping is had.
    /// - Complexity: O(k log k) in the number of ranges.
    public init(
        usable: [IOVARange], granule: UInt64 = 4096, regionCapacity: Int,
        reservationCapacity: Int = 4096, magazine: IOVAMagazineLimits? = nil,
        threadCache: IOVAMagazineLimits? = nil,
        metadata: IOVAMetadataOptions = IOVAMetadataOptions()
    ) throws(IOVASpaceError) {
        let kept = magazine ?? .suited(to: regionCapacity)
        let cached = threadCache ?? .suited(toThreadBeside: kept)
        limits = ThreadCacheLimits(cached)
        let space = try IOVASpace.make(
            usable, granule, regionCapacity, reservationCapacity, kept, metadata,
            lendable: min(Int(limits.ranges) * Self.fullCaches, 1 << 24))
        self.granule = granule
        granuleShift = space.granuleShift
        cacheByteLimit = cached.byteCount
        let slots = space.handles.slots
        unsafe core = .allocate(capacity: 1)
        unsafe core.initialize(to: space)
        unsafe mutex = cdp_mutex_create()
        let line = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 128)
        unsafe reach = line.bindMemory(to: UInt64.self, capacity: 1)
        unsafe reach.initialize(to: 0)
        // In bounds: a pointer behind a word.
        unsafe place = (line + 8).bindMemory(to: HandleSlots.self, capacity: 1)
        unsafe place.initialize(to: slots)
    }

    deinit {
        unsafe cdp_mutex_destroy(mutex)
        unsafe reach.deallocate()
        unsafe core.deinitialize(count: 1)
        unsafe core.deallocate()
    }

    /// The slots, for who holds the space's lock or a cache: they move when the space grows.
    @inline(__always)
    var slots: HandleSlots { unsafe place.pointee }

    /// Says where the slots lie, after the space has grown.
    /// - Precondition: the space's lock and every open cache are held.
    func publishSlots(_ space: borrowing IOVASpace) {
        unsafe place.pointee = space.handles.slots
    }

    /// Whether a slot's memory may be looked at.
    @inline(__always)
    func isWithinReach(_ slot: UInt32) -> Bool {
        unsafe UInt64(slot) < cdp_load_acquire(reach)
    }

    /// Runs `body` with the space's lock held and the calling thread's cache entered, if it has
    /// one.
    func locked<R, E: Error>(
        _ body: (inout IOVASpace, ThreadCache?) throws(E) -> R
    ) throws(E) -> R {
        unsafe cdp_mutex_lock(mutex)
        let own = enterOwn()
        unsafe core.pointee.handles.serve(ThreadCaches.ownNumber ?? SlotHomes.nobody)
        defer {
            publishReach()
            own?.leave()
            unsafe cdp_mutex_unlock(mutex)
        }
        return try unsafe body(&core.pointee, own)
    }

    /// Runs `body` with the space's lock held and every cache entered: the space alone is in use,
    /// and its figures hold.
    func lockedAll<R, E: Error>(_ body: (inout IOVASpace) throws(E) -> R) throws(E) -> R {
        try locked { (space, own) throws(E) in
            enterAll(space, except: own)
            defer { leaveAll(space, except: own) }
            sumUp(&space)
            return try body(&space)
        }
    }

    /// As `lockedAll`, after every cache's ranges and permits have been taken back.
    func drained<R, E: Error>(_ body: (inout IOVASpace) throws(E) -> R) throws(E) -> R {
        try lockedAll { (space) throws(E) in
            takeAllBack(&space)
            return try body(&space)
        }
    }

    private func publishReach() {
        // The frontier only grows, under the lock.
        let frontier = unsafe UInt64(core.pointee.handles.frontier)
        if unsafe cdp_load_relaxed(reach) != frontier {
            unsafe cdp_store_release(reach, frontier)
        }
    }

    private func enterOwn() -> ThreadCache? {
        guard !limits.isOff, let number = ThreadCaches.ownNumber else { return nil }
        let cache = caches[number]
        guard cache.isClosed else {
            cache.enter()
            return cache
        }
        cache.open(byteLimit: unsafe byteLimit(core.pointee))
        unsafe core.pointee.lending.cacheCount = max(core.pointee.lending.cacheCount, number + 1)
        return cache
    }

    private func byteLimit(_ space: borrowing IOVASpace) -> UInt64 {
        cacheByteLimit ?? space.magazine.byteLimit / 4
    }

    // MARK: all caches, with the space's lock held

    private func forEachOpenCache(_ lending: Lending, _ body: (ThreadCache) -> Void) {
        for number in 0..<lending.cacheCount where !caches[number].isClosed { body(caches[number]) }
    }

    func enterAll(_ space: borrowing IOVASpace, except own: ThreadCache?) {
        forEachOpenCache(space.lending) { cache in
            if cache != own { cache.enter() }
        }
    }

    func leaveAll(_ space: borrowing IOVASpace, except own: ThreadCache?) {
        forEachOpenCache(space.lending) { cache in
            if cache != own { cache.leave() }
        }
    }

    private func sumUp(_ space: inout IOVASpace) {
        var (permits, bytes): (Int, UInt64) = (0, 0)
        forEachOpenCache(space.lending) { cache in
            permits += Int(cache.permits)
            bytes &+= cache.byteCount
        }
        (space.lending.permits, space.lending.byteCount) = (permits, bytes)
    }

    func takeAllBack(_ space: inout IOVASpace) {
        forEachOpenCache(space.lending) { space.takeBackAll(from: $0) }
        sumUp(&space)
        assert(space.lending.count == 0 && space.lending.spare == 0)
    }

    /// Takes all permits back, and the ranges too where they would then be more than the space has
    /// slots for beside its regions.
    func revokeAll(_ space: inout IOVASpace) {
        sumUp(&space)
        guard space.lending.count <= space.lending.capacity else { return takeAllBack(&space) }
        forEachOpenCache(space.lending) { space.revokePermits(of: $0) }
        sumUp(&space)
    }

    /// After the usable ranges have changed: a cache's bytes are a share of them.
    func renewByteLimits(_ space: borrowing IOVASpace) {
        let limit = byteLimit(space)
        forEachOpenCache(space.lending) { $0.setByteLimit(limit) }
    }

    /// What is wrong with the caches, all of them entered.
    func cacheViolation(_ space: borrowing IOVASpace) -> String? {
        var problem: String?
        var count = 0
        forEachOpenCache(space.lending) { cache in
            count += Int(cache.count)
            problem = problem ?? space.violation(of: cache)
        }
        if let problem { return problem }
        if count != space.lending.count {
            return "\(count) ranges are lent, not \(space.lending.count)"
        }
        return space.lending.spare <= space.lending.capacity ? nil : "too many ranges are lent"
    }
}

extension IOVAMagazineLimits {
    /// What suits a thread's cache in front of a magazine: half of it, so that a few threads
    /// together keep about as much, but room for several ranges of each of many sizes. In bytes a
    /// quarter.
    static func suited(toThreadBeside magazine: IOVAMagazineLimits) -> IOVAMagazineLimits {
        guard magazine.ranges > 0, magazine.rangesPerSize > 0 else { return .off }
        return IOVAMagazineLimits(
            ranges: min(max(magazine.ranges, 1 << 12), 1 << 14),
            rangesPerSize: 2 * magazine.rangesPerSize, byteCount: magazine.byteCount.map { $0 / 4 })
    }
}
