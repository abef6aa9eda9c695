/// An inner node: up to 32 children, with the first address under each and the largest holes in it.
@safe
struct InnerNode {
    static var capacity: Int { 32 }
    static var byteCount: Int { 1216 }

    private let base: UnsafeMutableRawPointer

    @inline(__always)
    init(_ base: UnsafeMutableRawPointer) { unsafe self.base = base }

    // Layout: keys[32] at 0, the maxima of three classes at 256, 512 and 768, children[32] at 1024,
    // count at 1152. In bounds: slots come from searches bounded by `count`, at most 32.
    @inline(__always)
    private func column(_ offset: Int) -> UnsafeMutablePointer<UInt64> {
        unsafe (base + offset).assumingMemoryBound(to: UInt64.self)
    }

    @inline(__always)
    private var children: UnsafeMutablePointer<UInt32> {
        unsafe (base + 1024).assumingMemoryBound(to: UInt32.self)
    }

    @inline(__always)
    var count: Int {
        get { unsafe Int((base + 1152).load(as: UInt32.self)) }
        nonmutating set {
            unsafe (base + 1152).storeBytes(
                of: UInt32(truncatingIfNeeded: newValue), as: UInt32.self)
        }
    }

    @inline(__always)
    func key(_ slot: Int) -> UInt64 { unsafe column(0)[slot] }

    @inline(__always)
    func setKey(_ slot: Int, _ key: UInt64) { unsafe column(0)[slot] = key }

    @inline(__always)
    func child(_ slot: Int) -> UInt32 { unsafe children[slot] }

    @inline(__always)
    func maxima(_ slot: Int) -> HoleMaxima {
        unsafe HoleMaxima(
            page: column(256)[slot], huge: column(512)[slot], giant: column(768)[slot])
    }

    @inline(__always)
    func setMaxima(_ slot: Int, _ maxima: HoleMaxima) {
        unsafe column(256)[slot] = maxima.page
        unsafe column(512)[slot] = maxima.huge
        unsafe column(768)[slot] = maxima.giant
    }

    /// The maxima over all children, from the end as in a leaf.
    func maxima() -> HoleMaxima {
        var result = HoleMaxima.none
        for slot in stride(from: count &- 1, through: 0, by: -1) {
            if unsafe column(256)[slot] > result.giant { result.raise(to: maxima(slot)) }
        }
        return result
    }

    /// The maxima over all children after one has gone from `old` to `new`, where they were `total`
    /// before.
    @inline(__always)
    func total(_ total: HoleMaxima, old: HoleMaxima, new: HoleMaxima) -> HoleMaxima {
        HoleMaxima(
            page: largest(256, total.page, old.page, new.page),
            huge: largest(512, total.huge, old.huge, new.huge),
            giant: largest(768, total.giant, old.giant, new.giant))
    }

    @inline(__always)
    private func largest(
        _ offset: Int, _ total: UInt64, _ old: UInt64, _ new: UInt64
    ) -> UInt64 {
        if new >= total { return new }
        if old < total { return total }
        let values = unsafe column(offset)
        // Two maxima at a time, since each waits for the one before it.
        var (even, odd): (UInt64, UInt64) = (0, 0)
        let count = self.count
        var slot = 0
        while slot &+ 1 < count {
            even = unsafe max(even, values[slot])
            odd = unsafe max(odd, values[slot &+ 1])
            slot &+= 2
        }
        if slot < count { even = unsafe max(even, values[slot]) }
        return max(even, odd)
    }

    /// The last child whose first address is at or before `address`.
    @inline(__always)
    func slot(of address: UInt64) -> Int {
        let count = self.count
        let keys = unsafe column(0)
        var slot = 0
        var step = 16
        while step > 0 {
            let next = slot &+ step
            if next < count, unsafe keys[next] <= address { slot = next }
            step >>= 1
        }
        return slot
    }

    /// The first slot from `start` on whose holes of the class reach `byteCount`, or nil.
    @inline(__always)
    func firstSlot(from start: Int, class holeClass: HoleClass, atLeast byteCount: UInt64) -> Int? {
        let maxima = unsafe column(holeClass.offset)
        var slot = start
        let count = self.count
        while slot < count {
            if unsafe maxima[slot] >= byteCount { return slot }
            slot &+= 1
        }
        return nil
    }

    /// The last slot up to `start` whose holes of the class reach `byteCount`, or nil.
    @inline(__always)
    func lastSlot(from start: Int, class holeClass: HoleClass, atLeast byteCount: UInt64) -> Int? {
        let maxima = unsafe column(holeClass.offset)
        var slot = start
        while slot >= 0 {
            if unsafe maxima[slot] >= byteCount { return slot }
            slot &-= 1
        }
        return nil
    }

    /// Puts a child at `slot`, moving later ones up. The node is not full.
    func insert(at slot: Int, key: UInt64, child: UInt32, maxima: HoleMaxima) {
        let moved = count - slot
        for offset in [0, 256, 512, 768] {
            let values = unsafe column(offset)
            unsafe (values + slot + 1).update(from: values + slot, count: moved)
        }
        unsafe (children + slot + 1).update(from: children + slot, count: moved)
        setKey(slot, key)
        setMaxima(slot, maxima)
        unsafe children[slot] = child
        count += 1
    }

    func remove(at slot: Int) {
        let moved = count - slot - 1
        for offset in [0, 256, 512, 768] {
            let values = unsafe column(offset)
            unsafe (values + slot).update(from: values + slot + 1, count: moved)
        }
        unsafe (children + slot).update(from: children + slot + 1, count: moved)
        count -= 1
    }

    /// Appends the children `from...` of `source` behind this node's own.
    func append(from source: InnerNode, startingAt from: Int) {
        let moved = source.count - from
        let old = count
        precondition(old + moved <= InnerNode.capacity)
        for offset in [0, 256, 512, 768] {
            unsafe (column(offset) + old).update(from: source.column(offset) + from, count: moved)
        }
        unsafe (children + old).update(from: source.children + from, count: moved)
        count = old + moved
    }
}

extension HoleClass {
    /// Where an inner node keeps the class's column of maxima.
    @inline(__always)
    fileprivate var offset: Int {
        switch self {
        case .page: 256
        case .huge: 512
        case .giant: 768
        }
    }
}
