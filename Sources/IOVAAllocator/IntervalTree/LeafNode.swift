/// A leaf: up to 31 entries in address order, and the holes between them.
///
/// Hole `i` lies between entry `i` and entry `i + 1`; the last one reaches to the first entry of
/// the next leaf, whose address is kept here (`end`), so that every hole belongs to exactly one
/// leaf and an insertion never leaves the leaf that owns the hole. The leftmost leaf begins with a
/// sentinel entry of no bytes (first 0, last 2^64-1), so that a hole at address 0 has an owner
/// too. `end` of the rightmost leaf is 2^64, stored as 0.
@safe
struct LeafNode {
    static var capacity: Int { 31 }
    static var byteCount: Int { 704 }

    private let base: UnsafeMutableRawPointer

    @inline(__always)
    init(_ base: UnsafeMutableRawPointer) { unsafe self.base = base }

    // Layout: firsts[32] at 0, lasts[32] at 256, tags[32] at 512, then count, next, previous.
    // In bounds: indices come from searches bounded by `count`, which never exceeds 31.
    @inline(__always)
    private var firsts: UnsafeMutablePointer<UInt64> {
        unsafe base.assumingMemoryBound(to: UInt64.self)
    }

    @inline(__always)
    private var lasts: UnsafeMutablePointer<UInt64> {
        unsafe (base + 256).assumingMemoryBound(to: UInt64.self)
    }

    @inline(__always)
    private var tags: UnsafeMutablePointer<UInt32> {
        unsafe (base + 512).assumingMemoryBound(to: UInt32.self)
    }

    @inline(__always)
    private var header: UnsafeMutablePointer<UInt32> {
        unsafe (base + 640).assumingMemoryBound(to: UInt32.self)
    }

    @inline(__always)
    var count: Int {
        get { unsafe Int(header[0]) }
        nonmutating set { unsafe header[0] = UInt32(truncatingIfNeeded: newValue) }
    }

    @inline(__always)
    var next: UInt32 {
        get { unsafe header[1] }
        nonmutating set { unsafe header[1] = newValue }
    }

    @inline(__always)
    var previous: UInt32 {
        get { unsafe header[2] }
        nonmutating set { unsafe header[2] = newValue }
    }

    /// One load from each cache line.
    @inline(__always)
    func warm() -> UInt64 {
        var sum: UInt64 = 0
        // In bounds: the lines of this node.
        for line in 0..<11 { unsafe sum &+= firsts[line &* 8] }
        return sum
    }

    @inline(__always)
    func first(_ index: Int) -> UInt64 { unsafe firsts[index] }

    @inline(__always)
    func last(_ index: Int) -> UInt64 { unsafe lasts[index] }

    @inline(__always)
    func tag(_ index: Int) -> EntryTag { unsafe EntryTag(rawValue: tags[index]) }

    @inline(__always)
    func setTag(_ index: Int, _ tag: EntryTag) { unsafe tags[index] = tag.rawValue }

    /// The first address behind the leaf's last hole; 0 stands for 2^64.
    @inline(__always)
    var end: UInt64 {
        get { unsafe firsts[count] }
        nonmutating set { unsafe firsts[count] = newValue }
    }

    /// The last entry that starts at or before `address`.
    /// - Precondition: the leaf's first entry does.
    @inline(__always)
    func index(of address: UInt64) -> Int {
        let count = self.count
        var index = 0
        var step = 16
        while step > 0 {
            let next = index &+ step
            if next < count, unsafe firsts[next] <= address { index = next }
            step >>= 1
        }
        return index
    }

    @inline(__always)
    func holeFirst(_ index: Int) -> UInt64 { unsafe lasts[index] &+ 1 }

    @inline(__always)
    func holeLast(_ index: Int) -> UInt64 { unsafe firsts[index &+ 1] &- 1 }

    /// The bytes of hole `index`, saturated at 2^64-1.
    @inline(__always)
    func holeLength(_ index: Int) -> UInt64 { isEmptySpace ? .max : length(index) }

    /// Whether the leaf's one hole is all of [0, 2^64-1], whose length wraps to 0.
    @inline(__always)
    private var isEmptySpace: Bool { count == 1 && end == 0 && tag(0).kind == .sentinel }

    /// As `holeLength`, where the space is not empty.
    @inline(__always)
    private func length(_ index: Int) -> UInt64 { unsafe firsts[index &+ 1] &- lasts[index] &- 1 }

    @inline(__always)
    func holeMaxima(_ index: Int) -> HoleMaxima {
        HoleMaxima(holeAt: holeFirst(index), length: holeLength(index))
    }

    /// The maxima over all holes of the leaf.
    ///
    /// From the end, where the largest hole of a space that fills from below lies: no class of a
    /// hole exceeds its length, so that most holes cost one comparison.
    func maxima() -> HoleMaxima {
        if isEmptySpace { return holeMaxima(0) }
        var result = HoleMaxima.none
        for index in stride(from: count &- 1, through: 0, by: -1) {
            let length = length(index)
            if length > result.giant {
                result.raise(to: HoleMaxima(holeAt: holeFirst(index), length: length))
            }
        }
        return result
    }

    /// The maxima after `hole`, or part of it, has gone, where they were `total` before.
    @inline(__always)
    func maxima(without hole: HoleMaxima, total: HoleMaxima) -> HoleMaxima {
        if isEmptySpace { return holeMaxima(0) }
        var result = total
        if hole.page >= total.page { result.page = largest() }
        if hole.huge >= total.huge, total.huge > 0 {
            result.huge = largest(alignment: HoleMaxima.hugeAlignment)
        }
        if hole.giant >= total.giant, total.giant > 0 {
            result.giant = largest(alignment: HoleMaxima.giantAlignment)
        }
        return result
    }

    /// The largest hole. Two maxima at a time, since each waits for the one before it.
    @inline(__always)
    private func largest() -> UInt64 {
        var (even, odd): (UInt64, UInt64) = (0, 0)
        let count = self.count
        var index = 0
        while index &+ 1 < count {
            even = max(even, length(index))
            odd = max(odd, length(index &+ 1))
            index &+= 2
        }
        if index < count { even = max(even, length(index)) }
        return max(even, odd)
    }

    /// The largest hole from its first address on that is a multiple of the alignment.
    @inline(__always)
    private func largest(alignment: UInt64) -> UInt64 {
        var best: UInt64 = 0
        for index in stride(from: count &- 1, through: 0, by: -1) {
            let length = length(index)
            guard length > best else { continue }
            let pad = (0 &- holeFirst(index)) & (alignment &- 1)
            if length > pad { best = max(best, length &- pad) }
        }
        return best
    }

    /// The first hole from `start` on of at least `byteCount` bytes, or nil.
    @inline(__always)
    func firstHole(from start: Int, atLeast byteCount: UInt64) -> Int? {
        if isEmptySpace { return start == 0 ? 0 : nil }
        let count = self.count
        var index = start
        while index < count {
            if length(index) >= byteCount { return index }
            index &+= 1
        }
        return nil
    }

    /// Puts an entry at `index`, moving later ones up. The leaf is not full.
    @inline(__always)
    func insert(at index: Int, first: UInt64, last: UInt64, tag: EntryTag) {
        let moved = count &- index
        unsafe (firsts + index + 1).update(from: firsts + index, count: moved &+ 1)
        unsafe (lasts + index + 1).update(from: lasts + index, count: moved)
        unsafe (tags + index + 1).update(from: tags + index, count: moved)
        unsafe firsts[index] = first
        unsafe lasts[index] = last
        unsafe tags[index] = tag.rawValue
        count &+= 1
    }

    /// Puts `count` entries of `size` bytes each, side by side from `first` on, at `index`; the
    /// leaf has room for them.
    @inline(__always)
    func insertRun(at index: Int, first: UInt64, size: UInt64, slots: RunSlots, count added: Int) {
        let moved = count &- index
        unsafe (firsts + index + added).update(from: firsts + index, count: moved &+ 1)
        unsafe (lasts + index + added).update(from: lasts + index, count: moved)
        unsafe (tags + index + added).update(from: tags + index, count: moved)
        var address = first
        for number in 0..<added {
            unsafe firsts[index &+ number] = address
            address &+= size
            unsafe lasts[index &+ number] = address &- 1
            unsafe tags[index &+ number] = EntryTag(.region, payload: slots[number]).rawValue
        }
        count &+= added
    }

    @inline(__always)
    func remove(at index: Int) {
        let moved = count &- index &- 1
        unsafe (firsts + index).update(from: firsts + index + 1, count: moved &+ 1)
        unsafe (lasts + index).update(from: lasts + index + 1, count: moved)
        unsafe (tags + index).update(from: tags + index + 1, count: moved)
        count &-= 1
    }

    /// Appends the entries `from...` of `source` behind this leaf's own, and takes over its end.
    func append(from source: LeafNode, startingAt from: Int) {
        let moved = source.count - from
        let old = count
        precondition(old + moved <= LeafNode.capacity)
        unsafe (firsts + old).update(from: source.firsts + from, count: moved + 1)
        unsafe (lasts + old).update(from: source.lasts + from, count: moved)
        unsafe (tags + old).update(from: source.tags + from, count: moved)
        count = old + moved
    }

    /// Moves the first `moved` entries behind those of the leaf before.
    func giveFirst(_ moved: Int, to left: LeafNode) {
        let old = left.count
        let kept = count - moved
        precondition(moved < count && old + moved <= LeafNode.capacity)
        // With the first entry that stays: it is where the last hole of `left` ends from now on.
        unsafe (left.firsts + old).update(from: firsts, count: moved + 1)
        unsafe (left.lasts + old).update(from: lasts, count: moved)
        unsafe (left.tags + old).update(from: tags, count: moved)
        unsafe firsts.update(from: firsts + moved, count: kept + 1)
        unsafe lasts.update(from: lasts + moved, count: kept)
        unsafe tags.update(from: tags + moved, count: kept)
        left.count = old + moved
        count = kept
    }

    /// Moves the last `moved` entries before those of the next leaf.
    func giveLast(_ moved: Int, to right: LeafNode) {
        let old = right.count
        let kept = count - moved
        precondition(moved < count && old + moved <= LeafNode.capacity)
        unsafe (right.firsts + moved).update(from: right.firsts, count: old + 1)
        unsafe (right.lasts + moved).update(from: right.lasts, count: old)
        unsafe (right.tags + moved).update(from: right.tags, count: old)
        unsafe right.firsts.update(from: firsts + kept, count: moved)
        unsafe right.lasts.update(from: lasts + kept, count: moved)
        unsafe right.tags.update(from: tags + kept, count: moved)
        right.count = old + moved
        // What was the first of the moved entries stays behind as `end`.
        count = kept
    }
}
