// The search for the smallest hole that serves. The tree knows the largest hole of each subtree,
// not the smallest that is large enough, and keeps nothing for this search's sake: it costs the
// others nothing.

extension IntervalTree {
    /// The lowest fit in the smallest hole that holds the request, and in the lowest of these where
    /// several are alike; nil: then none exists.
    ///
    /// A hole counts in full, also where the window cuts it: what matters is what is left of it.
    ///
    /// - Complexity: O(n) at worst. Subtrees without a hole that is large enough are passed over,
    ///   and a hole of exactly the size ends the search.
    mutating func bestFit(_ request: HoleRequest) -> Fit? {
        let holeClass = HoleClass(alignment: request.alignment, offset: request.offset)
        guard rootMaxima.value(holeClass) >= request.byteCount else { return nil }
        var best = BestHole()
        var start: Cursor? = locate(request.first)
        while let from = start {
            scanBest(request, from: from, &best)
            if best.length == request.byteCount { break }
            start = leafAfter(request, holeClass).map { Cursor(leaf: $0, index: 0) }
        }
        guard let address = best.address else { return nil }
        // The search has gone on: back to where the best was.
        return Fit(address: address, cursor: locate(address))
    }

    private func scanBest(_ request: HoleRequest, from: Cursor, _ best: inout BestHole) {
        let leaf = self.leaf(from.leaf)
        var index = from.index
        let count = leaf.count
        while index < count {
            let length = leaf.holeLength(index)
            if length >= request.byteCount, length < best.length || best.address == nil,
                let address = request.lowestFit(
                    holeFirst: leaf.holeFirst(index), holeLast: leaf.holeLast(index))
            {
                best = BestHole(length: length, address: address)
                if length == request.byteCount { return }
            }
            index &+= 1
        }
    }

    /// Moves `path` to the nearest leaf on the right whose holes may hold the request.
    private mutating func leafAfter(_ request: HoleRequest, _ holeClass: HoleClass) -> UInt32? {
        var level = 1
        while level <= height {
            let node = inner(path.node(level))
            if let slot = node.firstSlot(
                from: path.slot(level) + 1, class: holeClass, atLeast: request.byteCount)
            {
                if node.key(slot) > request.last { return nil }
                path.setSlot(level, slot)
                return leftmostLeaf(request, holeClass, under: node.child(slot), at: level - 1)
            }
            level += 1
        }
        return nil
    }

    /// The leftmost leaf under `node` whose maximum reaches the request: the maxima of the levels
    /// above say that there is one.
    private mutating func leftmostLeaf(
        _ request: HoleRequest, _ holeClass: HoleClass, under node: UInt32, at level: Int
    ) -> UInt32 {
        var node = node
        for level in stride(from: level, to: 0, by: -1) {
            let inner = self.inner(node)
            guard
                let slot = inner.firstSlot(
                    from: 0, class: holeClass, atLeast: request.byteCount)
            else { preconditionFailure("a subtree maximum that none of its children has") }
            path.set(level, node: node, slot: slot)
            node = inner.child(slot)
        }
        return node
    }
}

/// The smallest hole so far, and where in it the request fits.
private struct BestHole {
    var length = UInt64.max
    var address: UInt64?
}
