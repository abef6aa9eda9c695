// The mirror of the search in IntervalTree+HoleSearch.swift: from the highest address down.

extension IntervalTree {
    /// The highest fit in the window, or nil: then none exists.
    /// - Complexity: as `lowestFit`.
    mutating func highestFit(_ request: HoleRequest) -> Fit? {
        let holeClass = HoleClass(alignment: request.alignment, offset: request.offset)
        guard rootMaxima.value(holeClass) >= request.byteCount else { return nil }
        let start = locate(request.last)
        if let fit = scanHighest(request, leaf: start.leaf, from: start.index) { return fit }
        while let link = leafBefore(request, holeClass) {
            if let fit = scanHighest(request, leaf: link, from: leaf(link).count - 1) { return fit }
            // Everything further left ends before the window begins.
            if leaf(link).first(0) < request.first { return nil }
        }
        return nil
    }

    /// Moves `path` to the nearest leaf on the left whose holes may hold the request.
    private mutating func leafBefore(_ request: HoleRequest, _ holeClass: HoleClass) -> UInt32? {
        var level = 1
        while level <= height {
            let node = inner(path.node(level))
            if let slot = node.lastSlot(
                from: path.slot(level) - 1, class: holeClass, atLeast: request.byteCount)
            {
                path.setSlot(level, slot)
                return rightmostLeaf(request, holeClass, under: node.child(slot), at: level - 1)
            }
            level += 1
        }
        return nil
    }

    /// The rightmost leaf under `node` whose maximum reaches the request: the maxima of the levels
    /// above say that there is one.
    private mutating func rightmostLeaf(
        _ request: HoleRequest, _ holeClass: HoleClass, under node: UInt32, at level: Int
    ) -> UInt32 {
        var node = node
        for level in stride(from: level, to: 0, by: -1) {
            let inner = self.inner(node)
            guard
                let slot = inner.lastSlot(
                    from: inner.count - 1, class: holeClass, atLeast: request.byteCount)
            else { preconditionFailure("a subtree maximum that none of its children has") }
            path.set(level, node: node, slot: slot)
            node = inner.child(slot)
        }
        return node
    }

    private func scanHighest(_ request: HoleRequest, leaf link: UInt32, from: Int) -> Fit? {
        let leaf = self.leaf(link)
        for index in stride(from: from, through: 0, by: -1)
        where leaf.holeLength(index) >= request.byteCount {
            if let address = request.highestFit(
                holeFirst: leaf.holeFirst(index), holeLast: leaf.holeLast(index))
            {
                return Fit(address: address, cursor: Cursor(leaf: link, index: index))
            }
        }
        return nil
    }
}
