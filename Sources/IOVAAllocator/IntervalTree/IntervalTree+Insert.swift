extension IntervalTree {
    /// Whether `entries` more entries are certain to find nodes.
    ///
    /// The pools hold more nodes than `entryCapacity` entries can occupy, so the nodes are looked
    /// at only to keep a mistake in that sizing from becoming a trap.
    @inline(__always)
    func hasRoom(for entries: Int) -> Bool {
        count + entries <= entryCapacity && leaves.freeCount > entries / 8 + 1
            && inners.freeCount > entries / 64 + height + 1
    }

    /// Inserts [first, last], which lies inside the hole behind the entry at `cursor`.
    ///
    /// `path` leads to the cursor's leaf. The caller has checked `hasRoom`.
    /// - Complexity: O(log n), usually one leaf.
    @inline(__always)
    mutating func insert(first: UInt64, last: UInt64, tag: EntryTag, behind cursor: Cursor) {
        var cursor = cursor
        if leaf(cursor.leaf).count == LeafNode.capacity {
            makeRoom(cursor, forRun: false)
            cursor = locate(first)
        }
        let leaf = self.leaf(cursor.leaf)
        let index = cursor.index
        assert(leaf.holeFirst(index) <= first && last <= leaf.holeLast(index))
        let hole = leaf.holeMaxima(index)
        let total = leafTotal()
        leaf.insert(at: index &+ 1, first: first, last: last, tag: tag)
        count &+= 1
        lowerMaxima(leaf, by: hole, total: total)
    }

    /// A run takes what room a leaf has from here on, rather than that the leaf splits for it.
    private static var leastRun: Int { 8 }

    /// Inserts regions of `size` bytes each, side by side from `first` on, inside the hole behind
    /// the entry at `cursor`: as many of `slots` as the leaf takes, at least one.
    ///
    /// `path` leads to the cursor's leaf. The caller has checked `hasRoom`.
    /// - Returns: how many.
    mutating func insertRun(
        first: UInt64, size: UInt64, slots: RunSlots, count wanted: Int, behind cursor: Cursor
    ) -> Int {
        var cursor = cursor
        if LeafNode.capacity &- leaf(cursor.leaf).count < min(wanted, Self.leastRun) {
            makeRoom(cursor, forRun: true)
            cursor = locate(first)
        }
        let leaf = self.leaf(cursor.leaf)
        let added = min(wanted, LeafNode.capacity &- leaf.count)
        assert(leaf.holeFirst(cursor.index) <= first)
        assert(first &+ (UInt64(added) &* size &- 1) <= leaf.holeLast(cursor.index))
        let hole = leaf.holeMaxima(cursor.index)
        leaf.insertRun(
            at: cursor.index &+ 1, first: first, size: size, slots: slots, count: added)
        count &+= added
        lowerMaxima(leaf, by: hole, total: leafTotal())
        return added
    }

    /// Makes the leaf of `cursor`, to which `path` leads, less full: afterwards `path` is void.
    private mutating func makeRoom(_ cursor: Cursor, forRun isRun: Bool) {
        let hasShared =
            isRun ? shareLeaf(cursor, roomFor: Self.leastRun) : shareLeaf(cursor.leaf)
        if !hasShared { splitLeaf(cursor.leaf, at: cursor.index, forRun: isRun) }
    }

    /// Moves about the upper half of the leaf at the end of `path` into a new one.
    ///
    /// Where the insertion that asks for it goes to the leaf's end, only the last few entries move:
    /// a space that fills from below leaves full leaves behind, not half-full ones. For a run, with
    /// more to come behind it, the split lies beside the hole, so that the part that gets them is
    /// the smaller one.
    private mutating func splitLeaf(_ link: UInt32, at index: Int, forRun isRun: Bool) {
        let newLink = leaves.take()
        let left = leaf(link)
        let right = leaf(newLink)
        var middle = left.count / 2 + 1
        if index &+ 2 >= left.count {
            middle = left.count &- 2
        } else if isRun {
            middle = index < middle ? max(index &+ 1, 8) : min(index, left.count &- 8)
        }
        right.count = 0
        right.append(from: left, startingAt: middle)
        left.count = middle
        // Behind the last entry that stays lies the first that moved: `end` is in place already.
        assert(left.end == right.first(0))
        right.next = left.next
        right.previous = link
        if left.next != NodePool.none { leaf(left.next).previous = newLink }
        left.next = newLink
        insertChild(
            newLink, key: right.first(0), maxima: right.maxima(), besides: left.maxima(), level: 1)
    }

    /// Puts a new node behind the one at `level - 1` of `path`, whose maxima are now `besides`.
    private mutating func insertChild(
        _ child: UInt32, key: UInt64, maxima: HoleMaxima, besides: HoleMaxima, level: Int
    ) {
        guard level <= height else {
            growRoot(child, key: key, maxima: maxima, besides: besides)
            return
        }
        let link = path.node(level)
        let slot = path.slot(level)
        let node = inner(link)
        node.setMaxima(slot, besides)
        guard node.count == InnerNode.capacity else {
            node.insert(at: slot + 1, key: key, child: child, maxima: maxima)
            return
        }
        let newLink = inners.take()
        let right = inner(newLink)
        let middle = InnerNode.capacity / 2
        right.count = 0
        right.append(from: node, startingAt: middle)
        node.count = middle
        if slot < middle {
            node.insert(at: slot + 1, key: key, child: child, maxima: maxima)
        } else {
            right.insert(at: slot + 1 - middle, key: key, child: child, maxima: maxima)
        }
        insertChild(
            newLink, key: right.key(0), maxima: right.maxima(), besides: node.maxima(),
            level: level + 1)
    }

    private mutating func growRoot(
        _ child: UInt32, key: UInt64, maxima: HoleMaxima, besides: HoleMaxima
    ) {
        let link = inners.take()
        let node = inner(link)
        node.count = 0
        node.insert(at: 0, key: 0, child: root, maxima: besides)
        node.insert(at: 1, key: key, child: child, maxima: maxima)
        root = link
        height += 1
        precondition(height <= 16, "more levels than 2^28 entries can need")
    }
}
