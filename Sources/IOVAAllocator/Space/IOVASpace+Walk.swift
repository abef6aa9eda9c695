// The space in address order: entries, holes, or both.

extension IOVASpace {
    /// All entries in address order.
    /// - Complexity: O(n).
    public func forEachEntry(_ body: (IOVAEntry) -> Void) {
        forEachEntry(overlapping: .all, body)
    }

    /// The entries that share an address with `range`, in address order.
    /// - Complexity: O(log n) plus their number.
    public func forEachEntry(overlapping range: IOVARange, _ body: (IOVAEntry) -> Void) {
        var cursor = tree.firstOverlap(first: range.first.rawValue, last: range.last.rawValue)
        while let found = cursor, tree.first(found) <= range.last.rawValue {
            if !isCached(found) { body(entry(found)) }
            cursor = tree.next(after: found)
        }
    }

    /// All holes in address order: what is free, and as large as it goes.
    /// - Complexity: O(n).
    public func forEachHole(_ body: (IOVARange) -> Void) {
        walk(overlapping: .all) { range, cursor in
            if cursor == nil { body(range) }
        }
    }

    /// Entries and holes in address order, each as large as it goes: together they tile the
    /// addresses, without a gap or an overlap.
    ///
    /// - Parameters:
    ///   - range: what an entry or hole must share an address with.
    ///   - body: takes the addresses and the entry that holds them, nil for a hole.
    /// - Complexity: O(log n) plus their number and that of the ranges in the magazine, which are
    ///   parts of holes.
    public func forEachSpan(
        overlapping range: IOVARange = .all, _ body: (IOVARange, IOVAEntry?) -> Void
    ) {
        walk(overlapping: range) { range, cursor in body(range, cursor.map { entry($0) }) }
    }

    /// As `forEachSpan`, with cursors.
    func walk(
        overlapping range: IOVARange, _ body: (IOVARange, IntervalTree.Cursor?) -> Void
    ) {
        let (first, last) = (range.first.rawValue, range.last.rawValue)
        var start = tree.find(first)
        // Cached ranges are part of the hole around them, which may begin further left.
        while isCached(start), let before = tree.previous(before: start) { start = before }
        let (startFirst, startLast) = (tree.first(start), tree.last(start))
        if tree.tag(start).kind != .sentinel {
            if startLast >= first {
                body(IOVARange(first: startFirst, last: startLast), start)
            }
            if startLast == .max { return }
        }
        // Behind the sentinel, whose last address is 2^64-1, comes 0.
        var holeFirst = startLast &+ 1
        var cursor = tree.next(after: start)
        while let found = cursor, holeFirst <= last {
            cursor = tree.next(after: found)
            if isCached(found) { continue }
            let (entryFirst, entryLast) = (tree.first(found), tree.last(found))
            if holeFirst < entryFirst {
                body(IOVARange(first: holeFirst, last: entryFirst - 1), nil)
            }
            if entryFirst > last { return }
            body(IOVARange(first: entryFirst, last: entryLast), found)
            if entryLast == .max { return }
            holeFirst = entryLast + 1
        }
        if holeFirst <= last { body(IOVARange(first: holeFirst, last: .max), nil) }
    }

    /// The parts of the tree's holes that lie inside `range`, in address order; what the magazine
    /// keeps is not among them.
    func forEachHole(overlapping range: IOVARange, _ body: (IOVARange) -> Void) {
        var cursor: IntervalTree.Cursor? = tree.find(range.first.rawValue)
        while let found = cursor {
            let leaf = tree.leaf(found.leaf)
            let first = max(leaf.holeFirst(found.index), range.first.rawValue)
            let last = min(leaf.holeLast(found.index), range.last.rawValue)
            if leaf.holeLength(found.index) > 0, first <= last {
                body(IOVARange(first: first, last: last))
            }
            cursor = tree.next(after: found)
            if let next = cursor, tree.first(next) > range.last.rawValue { return }
        }
    }
}
