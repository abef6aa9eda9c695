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
        let parent = inner(path.node(1))
        let slot = path.slot(1)
        let before = slot > 0 ? leaf(parent.child(slot - 1)).count : .max
        let behind = slot + 1 < parent.count ? leaf(parent.child(slot + 1)).count : .max
        let leaf = self.leaf(link)
        guard leaf.count - min(before, behind) >= 2 * Self.leastShare else { return false }
        if before <= behind {
            let left = self.leaf(parent.child(slot - 1))
            leaf.giveFirst((leaf.count - before) / 2, to: left)
            settle(slot - 1, parent, left, leaf)
        } else {
            let right = self.leaf(parent.child(slot + 1))
            leaf.giveLast((leaf.count - behind) / 2, to: right)
            settle(slot, parent, leaf, right)
        }
        return true
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
