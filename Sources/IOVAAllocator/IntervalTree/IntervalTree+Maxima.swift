// Keeping the subtree maxima true after one child's maxima have changed. Both walks stop at the
// first level that does not change, which in steady state is nearly always the leaf's parent.

extension IntervalTree {
    /// The maxima that the parent holds for the leaf at the end of `path`.
    @inline(__always)
    func leafTotal() -> HoleMaxima {
        height == 0 ? rootMaxima : inner(path.node(1)).maxima(path.slot(1))
    }

    /// Holes of the leaf at the end of `path` grew or appeared, none shrank: raises every maximum
    /// on the way up (of `sidePath`, where the leaf before is meant).
    @inline(__always)
    mutating func raiseMaxima(alongSidePath: Bool, to grown: HoleMaxima) {
        var level = 1
        while level <= height {
            let inner = self.inner(alongSidePath ? sidePath.node(level) : path.node(level))
            let slot = alongSidePath ? sidePath.slot(level) : path.slot(level)
            let old = inner.maxima(slot)
            var new = old
            new.raise(to: grown)
            if new == old { return }
            inner.setMaxima(slot, new)
            level &+= 1
        }
        rootMaxima.raise(to: grown)
    }

    /// The leaf at the end of `path` has lost a hole, or part of it; `total` is what its parent
    /// holds for it.
    @inline(__always)
    mutating func lowerMaxima(_ leaf: LeafNode, by hole: HoleMaxima, total: HoleMaxima) {
        // A hole that was nowhere the largest changes no maximum.
        if hole.isBelow(total) { return }
        replaceMaxima(leaf.maxima(without: hole, total: total))
    }

    /// The leaf at the end of `path` now has the maxima `new`, which may be smaller than before.
    ///
    /// A level's total is looked for anew only in the classes in which the child that changed had
    /// the largest hole.
    mutating func replaceMaxima(_ leafMaxima: HoleMaxima) {
        var new = leafMaxima
        var level = 1
        while level <= height {
            let inner = self.inner(path.node(level))
            let slot = path.slot(level)
            let old = inner.maxima(slot)
            if new == old { return }
            inner.setMaxima(slot, new)
            let total =
                level < height
                ? self.inner(path.node(level &+ 1)).maxima(path.slot(level &+ 1)) : rootMaxima
            new = inner.total(total, old: old, new: new)
            level &+= 1
        }
        rootMaxima = new
    }
}
