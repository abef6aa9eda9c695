// A full leaf gives entries to a neighbour with room before it splits, so that leaves stay about
// four fifths full: fewer of them to have, and to miss in the cache.
//
// Literature: the B*-tree of Knuth, "The Art of Computer Programming", volume 3, 6.2.4.

extension IntervalTree {
    /// Fewer entries moved at a time would not pay for themselves.
    private static var leastShare: Int { 3 }

    /// Moves entries of the leaf at the end of `path` to the neighbour under the same parent that
    /// holds fewer, so that both hold about the same.
    ///
    /// - Returns: false where neither neighbour holds enough less.
    mutating func shareLeaf(_ link: UInt32) -> Bool {
        guard height > 0 else { return false }
        let (before, behind) = neighbourCounts()
        let leaf = self.leaf(link)
        let moved = (leaf.count - min(before, behind)) / 2
        guard moved >= Self.leastShare else { return false }
        give(moved, of: leaf, before: before <= behind)
        return true
    }

    /// As `shareLeaf`, for a run that goes behind the entry at `cursor`: fills a neighbour with
    /// what lies on its side of that hole, and leaves the room to the run and to what follows it.
    ///
    /// - Returns: false where that makes room for fewer than `wanted` entries.
    mutating func shareLeaf(_ cursor: Cursor, roomFor wanted: Int) -> Bool {
        guard height > 0 else { return false }
        let (before, behind) = neighbourCounts()
        let leaf = self.leaf(cursor.leaf)
        let toLeft = min(LeafNode.capacity - min(before, LeafNode.capacity), cursor.index)
        let toRight = min(
            LeafNode.capacity - min(behind, LeafNode.capacity), leaf.count - 1 - cursor.index)
        let moved = max(toLeft, toRight)
        guard LeafNode.capacity - leaf.count + moved >= wanted else { return false }
        give(moved, of: leaf, before: toLeft >= toRight)
        return true
    }

    /// The entries of the leaves before and behind the one at the end of `path`, under the same
    /// parent; `.max` where there is none.
    private func neighbourCounts() -> (before: Int, behind: Int) {
        let parent = inner(path.node(1))
        let slot = path.slot(1)
        return (
            slot > 0 ? leaf(parent.child(slot - 1)).count : .max,
            slot + 1 < parent.count ? leaf(parent.child(slot + 1)).count : .max
        )
    }

    private func give(_ moved: Int, of leaf: LeafNode, before isBefore: Bool) {
        let parent = inner(path.node(1))
        let slot = path.slot(1)
        if isBefore {
            let left = self.leaf(parent.child(slot - 1))
            leaf.giveFirst(moved, to: left)
            settle(slot - 1, parent, left, leaf)
        } else {
            let right = self.leaf(parent.child(slot + 1))
            leaf.giveLast(moved, to: right)
            settle(slot, parent, leaf, right)
        }
    }

    /// Entries have moved between the leaves at `slot` and behind it: their holes are under the
    /// same parent as before, so nothing changes above.
    private func settle(_ slot: Int, _ parent: InnerNode, _ left: LeafNode, _ right: LeafNode) {
        assert(left.end == right.first(0))
        parent.setKey(slot + 1, right.first(0))
        parent.setMaxima(slot, left.maxima())
        parent.setMaxima(slot + 1, right.maxima())
    }
}
