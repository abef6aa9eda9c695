/// What the caches of threads hold of a shared space. All zero in a space with one owner.
///
/// A range in a thread's cache keeps its slot and its entry, as one in the magazine does, and is
/// free. `permits` and `byteCount` are summed up over the caches while all of them are held;
/// the rest holds at any time under the space's lock.
struct Lending {
    /// How far `spare` may go: slots and entries for it were taken at creation.
    let capacity: Int
    /// No cache from this number on has been used.
    var cacheCount = 0
    /// Ranges in caches less permits there: what slots in use and not in the magazine exceed the
    /// regions that exist or may be handed out without asking.
    var spare = 0
    var permits = 0
    var byteCount: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    var count: Int { spare + permits }

    /// How many ranges more the caches may hold.
    var room: Int { max(capacity - spare, 0) }
}

// Ranges between the space and a thread's cache. The caller holds the space's lock and the cache.

extension IOVASpace {
    /// Regions that may be handed out, or promised to a cache, before the capacity is used up.
    var unpromisedCount: Int {
        max(regionCapacity - (handles.count - magazine.count - lending.spare), 0)
    }

    /// Lets a cache hand out up to `most` regions.
    func grantable(_ most: Int) -> Int { min(most, unpromisedCount) }

    mutating func grant(_ most: Int, to cache: ThreadCache) {
        let count = grantable(most)
        cache.permits += UInt32(count)
        lending.spare -= count
    }

    /// Takes a cache's permits back.
    mutating func revokePermits(of cache: ThreadCache) {
        lending.spare += Int(cache.permits)
        cache.permits = 0
    }

    /// Moves up to `most` ranges of a class from the magazine to a cache, in their order, and as
    /// many permits as there are.
    mutating func lend(
        _ index: Int, most: Int, to cache: ThreadCache, _ limits: ThreadCacheLimits
    ) {
        let size = RangeClass.byteCount(index, granuleShift: granuleShift)
        var slots = RunSlots(repeating: .max)
        var count = 0
        while count < min(most, slots.count, lending.room), magazine.head(index) != .max {
            slots[count] = magazine.head(index)
            magazine.pop(index, below: handles.link(ofSlot: slots[count]), byteCount: size)
            count += 1
        }
        for number in stride(from: count - 1, through: 0, by: -1) {
            if cache.hasRoom(index, for: size, limits) {
                handles.setLink(ofSlot: slots[number], cache.head(index))
                cache.push(index, slot: slots[number], byteCount: size)
                usedBytes &+= size
                lending.spare += 1
            } else {
                let below = magazine.push(index, slot: slots[number], byteCount: size)
                handles.setLink(ofSlot: slots[number], below)
            }
        }
        if Int(cache.permits) < count { grant(count - Int(cache.permits), to: cache) }
    }

    /// Takes up to `most` ranges of a class back from a cache, each with a permit where it has one.
    mutating func takeBack(_ index: Int, most: UInt32, from cache: ThreadCache) {
        let size = RangeClass.byteCount(index, granuleShift: granuleShift)
        for _ in 0..<min(most, cache.count(index)) {
            let slot = cache.head(index)
            cache.pop(index, below: handles.link(ofSlot: slot), byteCount: size)
            if cache.permits > 0 { cache.permits -= 1 } else { lending.spare -= 1 }
            absorb(slot, index, size)
        }
    }

    /// Takes everything back from a cache.
    mutating func takeBackAll(from cache: ThreadCache) {
        revokePermits(of: cache)
        while let index = cache.nextClass() {
            takeBack(index, most: cache.count(index), from: cache)
        }
    }

    /// Puts a range that no cache holds any more, and no region, into the magazine or the tree.
    mutating func absorb(_ slot: UInt32, _ index: Int, _ size: UInt64) {
        usedBytes &-= size
        if magazine.hasRoom(for: size), magazine.count(index) < magazine.classLimit {
            let below = magazine.push(index, slot: slot, byteCount: size)
            handles.setLink(ofSlot: slot, below)
            return
        }
        let first = handles.first(ofSlot: slot)
        handles.give(slot)
        let cursor = tree.locate(first)
        assert(tree.first(cursor) == first && tree.tag(cursor).payload == slot)
        remove(cursor, first: first, last: first &+ (size &- 1))
    }

    /// The handle of the live region that starts at `first`, or nil.
    func liveHandle(startingAt first: IOVA) -> IOVAHandle? {
        let cursor = tree.find(first.rawValue)
        let tag = tree.tag(cursor)
        guard tag.kind == .region, tree.first(cursor) == first.rawValue else { return nil }
        // One read: a thread may free the region meanwhile.
        let state = handles.slots.state(tag.payload)
        return state.isInUse ? IOVAHandle(slot: tag.payload, generation: state.generation) : nil
    }

    /// What is wrong with a cache that is held, in words; nil where nothing is.
    func violation(of cache: ThreadCache) -> String? {
        var (ranges, bytes): (UInt32, UInt64) = (0, 0)
        for index in 0..<RangeClass.count {
            let size = RangeClass.byteCount(index, granuleShift: granuleShift)
            var slot = cache.head(index)
            var number: UInt32 = 0
            while slot != .max, number <= cache.count(index) {
                let first = handles.first(ofSlot: slot)
                let cursor = tree.find(first)
                guard handles.isCached(slot), tree.tag(cursor) == EntryTag(.region, payload: slot),
                    tree.first(cursor) == first, tree.last(cursor) == first &+ (size &- 1)
                else { return "a thread's cached range at \(IOVA(first)) is not in the tree" }
                slot = handles.link(ofSlot: slot)
                number += 1
            }
            if number != cache.count(index) { return "a class of a thread's cache is miscounted" }
            ranges += number
            bytes += UInt64(number) * size
        }
        return ranges == cache.count && bytes == cache.byteCount
            ? nil : "a thread's cache is miscounted"
    }
}
