// The magazine in front of the tree: what `allocate` and `free` try first.

extension IOVASpace {
    /// From about this many entries on, a random leaf is in no cache.
    private static var coldCount: Int { 1 << 18 }
    /// How many ranges go back to the tree together, at most.
    private static var evictionCount: Int { 8 }
    /// The same where the tree is in a near cache: what one free has to do at worst stays short.
    private static var warmEvictionCount: Int { 3 }
    /// Up to about this many entries the whole tree is in a near cache.
    private static var warmCount: Int { 1 << 13 }

    /// How many ranges a free that finds no room gives back.
    private var evictionStep: UInt32 {
        UInt32(tree.count < Self.warmCount ? Self.warmEvictionCount : Self.evictionCount)
    }

    /// Hands out the range of the class that was freed last, if it meets the request.
    @inline(__always)
    mutating func reuse(_ index: Int, _ request: HoleRequest) -> IOVAAllocation? {
        let slot = magazine.head(index)
        guard slot != .max else { return nil }
        let first = handles.first(ofSlot: slot)
        guard (first &- request.offset) & (request.alignment &- 1) == 0 else { return nil }
        magazine.pop(index, below: handles.link(ofSlot: slot), byteCount: request.byteCount)
        let handle = handles.revive(slot, link: UInt32(truncatingIfNeeded: index &+ 1))
        usedBytes &+= request.byteCount
        return IOVAAllocation(
            range: IOVARange(first: first, last: first &+ (request.byteCount &- 1)),
            handle: handle)
    }

    /// Keeps a freed region's range for reuse, or answers nil where it is not worth it, the
    /// magazine is full, or it is this free's turn to pack the space.
    @inline(__always)
    mutating func keep(_ slot: UInt32) -> IOVARange? {
        let link = handles.link(ofSlot: slot)
        guard link != 0, !magazine.isBypassDue() else { return nil }
        let index = Int(link &- 1)
        let size = RangeClass.byteCount(index, granuleShift: granuleShift)
        if !magazine.hasRoom(for: size), !makeRoom(index, size) { return nil }
        // A few, not half of the class: what one free has to do stays bounded.
        if magazine.count(index) >= magazine.classLimit {
            evict(index, min(magazine.count(index), evictionStep))
        }
        let below = magazine.push(index, slot: slot, byteCount: size)
        handles.cache(slot, link: below)
        usedBytes &-= size
        let first = handles.first(ofSlot: slot)
        return IOVARange(first: first, last: first &+ (size &- 1))
    }

    /// Takes several ranges of one size from one hole, side by side: the first is handed out, the
    /// others wait in the magazine. One search and one insertion serve them all.
    ///
    /// - Returns: nil where only a single range may be taken, or none fits.
    mutating func refill(_ index: Int, _ request: HoleRequest) -> IOVAAllocation? {
        let size = request.byteCount
        let most = magazine.refillCount >> (size < HoleMaxima.hugeAlignment ? 0 : 1)
        // Side by side they stay aligned only if the size is a multiple of the alignment.
        guard size & (request.alignment &- 1) == 0, request.offset == 0,
            most <= magazine.countLimit, makeRoom(ranges: most),
            magazine.hasRoom(for: size &* UInt64(most)), tree.hasRoom(for: most &+ restoreDebt)
        else { return nil }
        noteTightness()
        guard let fit = tree.lowestFit(request) else { return nil }
        let behind = tree.leaf(fit.cursor.leaf).holeLast(fit.cursor.index) &- fit.address
        // `behind` is a byte short of the hole, whose size may be 2^64: cut first, then add the
        // range that this byte completes.
        let whole = min(behind / size, UInt64(truncatingIfNeeded: most))
        let isOneMore = whole < most && behind % size == size &- 1
        return stock(index, size, fit, Int(truncatingIfNeeded: whole) &+ (isOneMore ? 1 : 0))
    }

    /// Takes `count` ranges at a fit, hands out the lowest and keeps the rest, the lowest on top.
    private mutating func stock(
        _ index: Int, _ size: UInt64, _ fit: IntervalTree.Fit, _ count: Int
    ) -> IOVAAllocation {
        let link = UInt32(truncatingIfNeeded: index &+ 1)
        let handed = handles.take(first: fit.address, link: link)
        var slots = RunSlots(repeating: handed.slot)
        for number in 1..<max(count, 1) {
            let address = fit.address &+ UInt64(number) &* size
            slots[number] = handles.take(first: address, link: 0).slot
        }
        let added = tree.insertRun(
            first: fit.address, size: size, slots: slots, count: count, behind: fit.cursor)
        // What the leaf did not take goes back, last in, first out.
        for number in stride(from: count &- 1, through: added, by: -1) {
            handles.give(slots[number])
        }
        for number in stride(from: added &- 1, to: 0, by: -1) {
            let below = magazine.push(index, slot: slots[number], byteCount: size)
            handles.cache(slots[number], link: below)
        }
        freeBytes &-= UInt64(added) &* size
        usedBytes &+= size
        return IOVAAllocation(
            range: IOVARange(first: fit.address, last: fit.address &+ (size &- 1)),
            handle: handed)
    }

    /// Gives ranges of sizes that nobody asks for any more back to the tree until there is room for
    /// so many others.
    private mutating func makeRoom(ranges most: Int) -> Bool {
        while magazine.count &+ most > magazine.countLimit {
            guard let stale = magazine.staleClass() else { return false }
            evict(stale, min(magazine.count(stale), UInt32(Self.evictionCount)))
        }
        return true
    }

    /// Gives ranges back to the tree until one more of the class fits: ranges of a size that nobody
    /// asks for any more, or else of its own. Several at once cost less each than one by one.
    @inline(never)
    private mutating func makeRoom(_ index: Int, _ size: UInt64) -> Bool {
        let most = evictionStep
        if let stale = magazine.staleClass() {
            evict(stale, min(magazine.count(stale), most))
            if magazine.hasRoom(for: size) { return true }
        }
        guard magazine.count(index) >= most else { return false }
        evict(index, most)
        return true
    }

    /// Tells the magazine how full the space is, whenever the tree is asked anyway.
    @inline(__always)
    mutating func noteTightness() {
        magazine.isSpaceTight = freeBytes &+ magazine.byteCount < usedBytes
    }

    private mutating func evict(_ index: Int, _ number: UInt32) {
        let size = RangeClass.byteCount(index, granuleShift: granuleShift)
        var left = Int(number)
        while left > 0 {
            // In two passes: the first one's look-ups do not depend on each other, so that their
            // cache misses overlap; the second finds the leaves at hand.
            let count = min(left, Self.evictionCount)
            var warmth: UInt64 = 0
            var slot = magazine.head(index)
            for _ in 0..<(tree.count > Self.coldCount ? count : 0) {
                warmth &+= tree.warm(handles.first(ofSlot: slot))
                slot = handles.link(ofSlot: slot)
            }
            magazine.noteWarmth(warmth)
            for _ in 0..<count { evictHead(index, size) }
            left &-= count
        }
    }

    private mutating func evictHead(_ index: Int, _ size: UInt64) {
        let slot = magazine.head(index)
        let first = handles.first(ofSlot: slot)
        magazine.pop(index, below: handles.link(ofSlot: slot), byteCount: size)
        handles.give(slot)
        let cursor = tree.locate(first)
        assert(tree.first(cursor) == first && tree.tag(cursor).payload == slot)
        remove(cursor, first: first, last: first &+ (size &- 1))
    }

    /// Gives everything that is kept for reuse back to the tree.
    ///
    /// - Complexity: O(k log n) for k cached ranges.
    public mutating func flushMagazine() {
        guard magazine.count > 0 else { return }
        for index in 0..<RangeClass.count where magazine.count(index) > 0 {
            evict(index, magazine.count(index))
        }
    }

    /// What is wrong with the magazine, for the invariant checker.
    func magazineViolation() -> String? {
        var ranges = 0
        var bytes: UInt64 = 0
        for index in 0..<RangeClass.count {
            var slot = magazine.head(index)
            if slot == .max, magazine.count(index) == 0 { continue }
            let size = RangeClass.byteCount(index, granuleShift: granuleShift)
            var number: UInt32 = 0
            while slot != .max, number <= magazine.count(index) {
                let first = handles.first(ofSlot: slot)
                let cursor = tree.find(first)
                guard handles.isCached(slot), tree.tag(cursor) == EntryTag(.region, payload: slot),
                    tree.first(cursor) == first, tree.last(cursor) == first &+ (size &- 1)
                else { return "the cached range at \(IOVA(first)) is not in the tree" }
                slot = handles.link(ofSlot: slot)
                number += 1
                ranges += 1
                bytes += size
            }
            if number != magazine.count(index) { return "a class of the magazine is miscounted" }
        }
        return ranges == magazine.count && bytes == magazine.byteCount
            ? nil : "the magazine is miscounted"
    }
}
