extension IntervalTree {
    /// What a correct tree never is, in words; nil where all holds. Walks everything.
    /// - Complexity: O(n).
    func invariantViolation() -> String? {
        var check = TreeCheck()
        let total = verify(root, level: height, below: 0, upTo: 0, &check)
        if let problem = check.problem { return problem }
        if total != rootMaxima { return "the root's maxima are not its holes'" }
        if check.entries != count + 1 { return "\(check.entries - 1) entries, counted \(count)" }
        if check.leafLinks != leaves.usedCount { return "a leaf has leaked" }
        if check.innerLinks != inners.usedCount { return "an inner node has leaked" }
        return chainViolation(check.leafLinks)
    }

    /// Verifies the subtree whose first key is `below` and whose end is `upTo` (0 is 2^64).
    private func verify(
        _ link: UInt32, level: Int, below: UInt64, upTo: UInt64, _ check: inout TreeCheck
    ) -> HoleMaxima {
        if level == 0 { return verifyLeaf(leaf(link), below: below, upTo: upTo, &check) }
        let node = inner(link)
        check.innerLinks += 1
        if node.count == 0 || node.count > InnerNode.capacity { check.fail("inner count") }
        var total = HoleMaxima.none
        for slot in 0..<node.count {
            let end = slot + 1 < node.count ? node.key(slot + 1) : upTo
            if slot == 0, node.key(0) != below { check.fail("an inner node's first key") }
            let maxima = verify(
                node.child(slot), level: level - 1, below: node.key(slot), upTo: end, &check)
            if maxima != node.maxima(slot) { check.fail("the maxima at \(node.key(slot))") }
            total.raise(to: maxima)
        }
        return total
    }

    private func verifyLeaf(
        _ leaf: LeafNode, below: UInt64, upTo: UInt64, _ check: inout TreeCheck
    ) -> HoleMaxima {
        check.leafLinks += 1
        check.entries += leaf.count
        if leaf.count == 0 || leaf.count > LeafNode.capacity {
            check.fail("leaf count")
            return .none
        }
        if leaf.first(0) != below { check.fail("a leaf's first key") }
        if leaf.end != upTo { check.fail("a leaf's end at \(below)") }
        for index in 0..<leaf.count {
            let isSentinel = leaf.tag(index).kind == .sentinel
            if isSentinel != (index == 0 && check.entries == leaf.count) { check.fail("sentinel") }
            if !isSentinel, leaf.last(index) < leaf.first(index) { check.fail("an inverted entry") }
            let isLastOfAll = index + 1 == leaf.count && leaf.end == 0
            if !isSentinel, !isLastOfAll, leaf.first(index + 1) <= leaf.last(index) {
                check.fail("overlapping entries at \(leaf.first(index))")
            }
        }
        return leaf.maxima()
    }

    private func chainViolation(_ expected: Int) -> String? {
        var seen = 0
        var link = firstLeaf
        var previous = NodePool.none
        while link != NodePool.none {
            if leaf(link).previous != previous { return "a leaf's back link" }
            previous = link
            link = leaf(link).next
            seen += 1
        }
        return seen == expected ? nil : "the chain of leaves has \(seen) of \(expected)"
    }
}

/// What a walk has seen, and the first thing that was wrong.
struct TreeCheck {
    var entries = 0
    var leafLinks = 0
    var innerLinks = 0
    var problem: String?

    mutating func fail(_ what: String) {
        if problem == nil { problem = what }
    }
}
