extension IntervalTree {
    /// Removes the entry at `cursor`; the holes on both sides become one.
    ///
    /// `path` leads to the cursor's leaf. Never needs memory.
    /// - Complexity: O(log n), usually one leaf.
    @inline(__always)
    mutating func remove(_ cursor: Cursor) {
        let leaf = self.leaf(cursor.leaf)
        assert(leaf.tag(cursor.index).kind != .sentinel)
        count &-= 1
        if cursor.index > 0 {
            leaf.remove(at: cursor.index)
            raiseMaxima(alongSidePath: false, to: leaf.holeMaxima(cursor.index &- 1))
        } else {
            removeFirst(cursor.leaf)
        }
        if leaf.count < Self.mergeThreshold { mergeLeaf(cursor.leaf) }
    }

    /// Removes a leaf's first entry, whose hole then belongs to the leaf before.
    private mutating func removeFirst(_ link: UInt32) {
        let leaf = self.leaf(link)
        // The leftmost leaf starts with the sentinel, which is never removed.
        let before = self.leaf(leaf.previous)
        let hole = leaf.holeMaxima(0)
        let total = leafTotal()
        findPathBefore()
        leaf.remove(at: 0)
        before.end = leaf.count > 0 ? leaf.first(0) : leaf.end
        if leaf.count > 0 {
            setKeys(leaf.first(0), fromLevel: 1)
            lowerMaxima(leaf, by: hole, total: total)
        } else {
            replaceMaxima(.none)
        }
        raiseMaxima(alongSidePath: true, to: before.holeMaxima(before.count - 1))
    }

    /// Sets `sidePath` to the leaf before the one that `path` leads to.
    private mutating func findPathBefore() {
        var level = 1
        while path.slot(level) == 0 { level += 1 }
        sidePath.copy(from: path, levels: level...height)
        sidePath.setSlot(level, path.slot(level) - 1)
        var node = inner(sidePath.node(level)).child(sidePath.slot(level))
        while level > 1 {
            level -= 1
            sidePath.set(level, node: node, slot: inner(node).count - 1)
            node = inner(node).child(inner(node).count - 1)
        }
    }

    /// The subtree under `path` at `level` now starts at `key`.
    private func setKeys(_ key: UInt64, fromLevel: Int) {
        var level = fromLevel
        while level <= height {
            inner(path.node(level)).setKey(path.slot(level), key)
            if path.slot(level) > 0 { return }
            level += 1
        }
    }

    /// Gives up an empty leaf, or joins a small one with a neighbour under the same parent.
    private mutating func mergeLeaf(_ link: UInt32) {
        guard height > 0 else { return }
        let leaf = self.leaf(link)
        let parent = inner(path.node(1))
        let slot = path.slot(1)
        if leaf.count == 0 {
            unlinkLeaf(link)
            removeChild(slot, level: 1)
        } else if slot + 1 < parent.count,
            self.leaf(parent.child(slot + 1)).count + leaf.count <= Self.mergedMaximum
        {
            joinLeaves(link, leftSlot: slot, parent)
        } else if slot > 0,
            self.leaf(parent.child(slot - 1)).count + leaf.count <= Self.mergedMaximum
        {
            joinLeaves(parent.child(slot - 1), leftSlot: slot - 1, parent)
        }
    }

    private mutating func joinLeaves(_ link: UInt32, leftSlot: Int, _ parent: InnerNode) {
        let rightLink = parent.child(leftSlot + 1)
        leaf(link).append(from: leaf(rightLink), startingAt: 0)
        unlinkLeaf(rightLink)
        joinMaxima(leftSlot, parent)
        removeChild(leftSlot + 1, level: 1)
    }

    /// The holes of two neighbours are now all under the left one.
    private func joinMaxima(_ leftSlot: Int, _ parent: InnerNode) {
        var joined = parent.maxima(leftSlot)
        joined.raise(to: parent.maxima(leftSlot + 1))
        parent.setMaxima(leftSlot, joined)
    }

    private mutating func unlinkLeaf(_ link: UInt32) {
        let leaf = self.leaf(link)
        self.leaf(leaf.previous).next = leaf.next
        if leaf.next != NodePool.none { self.leaf(leaf.next).previous = leaf.previous }
        leaves.give(link)
    }

    /// Takes a child out of the inner node at `level` of `path`; shrinks the tree where that
    /// leaves too little.
    private mutating func removeChild(_ slot: Int, level: Int) {
        let link = path.node(level)
        let node = inner(link)
        node.remove(at: slot)
        if node.count == 0 {
            // Not the root: the root's first child holds the sentinel.
            inners.give(link)
            removeChild(path.slot(level + 1), level: level + 1)
            return
        }
        if slot == 0, level < height { setKeys(node.key(0), fromLevel: level + 1) }
        if level == height {
            while height > 0, inner(root).count == 1 {
                let spare = root
                root = inner(spare).child(0)
                inners.give(spare)
                height -= 1
            }
        } else if node.count < Self.mergeThreshold {
            mergeInner(level: level)
        }
    }

    private mutating func mergeInner(level: Int) {
        let parent = inner(path.node(level + 1))
        let slot = path.slot(level + 1)
        let count = inner(path.node(level)).count
        let left: Int
        if slot + 1 < parent.count,
            inner(parent.child(slot + 1)).count + count <= Self.mergedMaximum
        {
            left = slot
        } else if slot > 0, inner(parent.child(slot - 1)).count + count <= Self.mergedMaximum {
            left = slot - 1
        } else {
            return
        }
        let rightLink = parent.child(left + 1)
        inner(parent.child(left)).append(from: inner(rightLink), startingAt: 0)
        inners.give(rightLink)
        joinMaxima(left, parent)
        removeChild(left + 1, level: level + 1)
    }
}
