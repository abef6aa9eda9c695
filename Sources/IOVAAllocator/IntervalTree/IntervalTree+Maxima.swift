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

    /// The leaf at the end of `path` now has the maxima `new`, which may be smaller than before.
    mutating func replaceMaxima(_ new: HoleMaxima) {
        var new = new
        for level in stride(from: 1, through: height, by: 1) {
            let inner = self.inner(path.node(level))
            let slot = path.slot(level)
            if inner.maxima(slot) == new { return }
            inner.setMaxima(slot, new)
            new = inner.maxima()
        }
        rootMaxima = new
    }
}
