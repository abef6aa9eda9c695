// The magazine in front of the tree: what `allocate` and `free` try first.

extension IOVASpace {
    /// How many ranges of a small size, and of a size from 2 MiB on, are taken from the tree at
    /// once when the magazine has none.
    private static var refillCount: Int { 8 }
    private static var hugeRefillCount: Int { 4 }

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

    /// Keeps a freed region's range for reuse, or answers nil where it is not worth it or the
    /// magazine is full.
    @inline(__always)
    mutating func keep(_ slot: UInt32) -> IOVARange? {
        let link = handles.link(ofSlot: slot)
        guard link != 0 else { return nil }
        let index = Int(link &- 1)
        let size = RangeClass.byteCount(index, granuleShift: granuleShift)
        guard magazine.hasRoom(for: size) else { return nil }
        if magazine.count(index) >= magazine.classLimit { spill(index) }
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
        let most = size < HoleMaxima.hugeAlignment ? Self.refillCount : Self.hugeRefillCount
        // Side by side they stay aligned only if the size is a multiple of the alignment.
        guard size & (request.alignment &- 1) == 0, request.offset == 0,
            magazine.count &+ most <= magazine.countLimit,
            magazine.hasRoom(for: size &* UInt64(most)), tree.hasRoom(for: most &+ restoreDebt)
        else { return nil }
        guard let fit = tree.lowestFit(request) else { return nil }
        let behind = tree.leaf(fit.cursor.leaf).holeLast(fit.cursor.index) &- fit.address
        let fitting = behind / size &+ (behind % size == size &- 1 ? 1 : 0)
        let count = min(most, Int(clamping: fitting))
        let link = UInt32(truncatingIfNeeded: index &+ 1)
        let handed = handles.take(first: fit.address, link: link)
        tree.insert(
            first: fit.address, last: fit.address &+ (size &- 1),
            tag: EntryTag(.region, payload: handed.slot), behind: fit.cursor)
        freeBytes &-= size
        usedBytes &+= size
        if count > 1 { stock(index, size, behind: fit.address, count &- 1) }
        return IOVAAllocation(
            range: IOVARange(first: fit.address, last: fit.address &+ (size &- 1)),
            handle: handed)
    }

    /// Puts `count` ranges that follow the region at `first` into the magazine, the lowest on top.
    private mutating func stock(_ index: Int, _ size: UInt64, behind first: UInt64, _ count: Int) {
        var number = count
        while number > 0 {
            let address = first &+ UInt64(number) &* size
            let handle = handles.take(first: address, link: 0)
            let cursor = tree.locate(address)
            tree.insert(
                first: address, last: address &+ (size &- 1),
                tag: EntryTag(.region, payload: handle.slot), behind: cursor)
            freeBytes &-= size
            let below = magazine.push(index, slot: handle.slot, byteCount: size)
            handles.cache(handle.slot, link: below)
            number &-= 1
        }
    }

    /// Gives half of a class back to the tree.
    private mutating func spill(_ index: Int) {
        evict(index, magazine.count(index) / 2 &+ 1)
    }

    private mutating func evict(_ index: Int, _ number: UInt32) {
        let size = RangeClass.byteCount(index, granuleShift: granuleShift)
        for _ in 0..<number {
            let slot = magazine.head(index)
            let first = handles.first(ofSlot: slot)
            magazine.pop(index, below: handles.link(ofSlot: slot), byteCount: size)
            handles.give(slot)
            let cursor = tree.locate(first)
            assert(tree.first(cursor) == first && tree.tag(cursor).payload == slot)
            remove(cursor, first: first, last: first &+ (size &- 1))
        }
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
            let size = RangeClass.byteCount(index, granuleShift: granuleShift)
            var slot = magazine.head(index)
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
