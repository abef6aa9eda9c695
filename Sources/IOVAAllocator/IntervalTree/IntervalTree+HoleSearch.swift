/// What a search asks of a hole.
struct HoleRequest {
    var byteCount: UInt64
    /// A power of two.
    var alignment: UInt64
    /// The address is congruent to this, modulo the alignment.
    var offset: UInt64 = 0
    /// The window: the range lies inside [first, last].
    var first: UInt64 = 0
    var last: UInt64 = .max

    /// The lowest address at which the request fits into [holeFirst, holeFirst + length - 1].
    @inline(__always)
    func lowestFit(holeFirst: UInt64, holeLast: UInt64) -> UInt64? {
        let low = Swift.max(holeFirst, first)
        let high = Swift.min(holeLast, last)
        let (start, overflow) = low.addingReportingOverflow(
            (offset &- low) & (alignment &- 1))
        guard !overflow, start <= high, high &- start >= byteCount &- 1 else { return nil }
        return start
    }

    /// The highest address at which the request fits.
    @inline(__always)
    func highestFit(holeFirst: UInt64, holeLast: UInt64) -> UInt64? {
        let low = Swift.max(holeFirst, first)
        let high = Swift.min(holeLast, last)
        guard high >= low, high &- low >= byteCount &- 1 else { return nil }
        let top = high &- (byteCount &- 1)
        let slack = (top &- offset) & (alignment &- 1)
        guard top &- low >= slack else { return nil }
        return top &- slack
    }
}

extension IntervalTree {
    /// A fit: the address, and the entry whose hole it lies in. `path` leads there.
    struct Fit {
        var address: UInt64
        var cursor: Cursor
    }

    /// The lowest fit in the window, or nil: then none exists.
    ///
    /// - Complexity: O(log n) for alignments up to 4 KiB, of 2 MiB and of 1 GiB on holes that are
    ///   page-aligned. For others a hole that is long enough but has no aligned part is looked at
    ///   and passed over.
    @inline(__always)
    mutating func lowestFit(_ request: HoleRequest) -> Fit? {
        let holeClass = HoleClass(alignment: request.alignment, offset: request.offset)
        if request.first == 0 {
            guard rootMaxima.value(holeClass) >= request.byteCount else { return nil }
            return descendLowest(request, holeClass, from: height, node: root)
        }
        let start = locate(request.first)
        if let fit = scanLowest(request, leaf: start.leaf, from: start.index) { return fit }
        return climbLowest(request, holeClass)
    }

    /// Goes on to the right of `path`.
    private mutating func climbLowest(_ request: HoleRequest, _ holeClass: HoleClass) -> Fit? {
        var level = 1
        while level <= height {
            let node = inner(path.node(level))
            var slot = path.slot(level)
            while let next = node.firstSlot(
                from: slot + 1, class: holeClass, atLeast: request.byteCount)
            {
                if node.key(next) > request.last { return nil }
                path.setSlot(level, next)
                if let fit = descendLowest(
                    request, holeClass, from: level - 1, node: node.child(next))
                {
                    return fit
                }
                slot = next
            }
            level += 1
        }
        return nil
    }

    /// The lowest fit under `node`, which stands at `level` (0 is a leaf).
    @inline(__always)
    private mutating func descendLowest(
        _ request: HoleRequest, _ holeClass: HoleClass, from level: Int, node: UInt32
    ) -> Fit? {
        var node = node
        var level = level
        let top = level
        while true {
            while level > 0 {
                let inner = self.inner(node)
                guard
                    let slot = inner.firstSlot(
                        from: 0, class: holeClass, atLeast: request.byteCount)
                else { break }
                path.set(level, node: node, slot: slot)
                node = inner.child(slot)
                level &-= 1
            }
            if level == 0 {
                warmIfCold(node)
                if let fit = scanLowest(request, leaf: node, from: 0) { return fit }
            }
            // Long enough but not aligned, or behind the window: the next candidate to the right.
            guard let next = advance(request, holeClass, above: level, top: top) else { return nil }
            node = next.node
            level = next.level
        }
    }

    /// The next subtree to the right that may hold a fit, below level `top`.
    private mutating func advance(
        _ request: HoleRequest, _ holeClass: HoleClass, above level: Int, top: Int
    ) -> (node: UInt32, level: Int)? {
        var level = level + 1
        while level <= top {
            let inner = self.inner(path.node(level))
            if let slot = inner.firstSlot(
                from: path.slot(level) + 1, class: holeClass, atLeast: request.byteCount)
            {
                if inner.key(slot) > request.last { return nil }
                path.setSlot(level, slot)
                return (inner.child(slot), level - 1)
            }
            level += 1
        }
        return nil
    }

    @inline(__always)
    private func scanLowest(_ request: HoleRequest, leaf link: UInt32, from: Int) -> Fit? {
        let leaf = self.leaf(link)
        var from = from
        while let index = leaf.firstHole(from: from, atLeast: request.byteCount) {
            if let address = request.lowestFit(
                holeFirst: leaf.holeFirst(index), holeLast: leaf.holeLast(index))
            {
                return Fit(address: address, cursor: Cursor(leaf: link, index: index))
            }
            from = index &+ 1
        }
        return nil
    }
}

extension HoleMaxima {
    @inline(__always)
    func value(_ holeClass: HoleClass) -> UInt64 {
        switch holeClass {
        case .page: page
        case .huge: huge
        case .giant: giant
        }
    }
}
