/// The truth about the space: disjoint entries in address order, as a B+ tree with wide nodes.
///
/// Every hole between entries belongs to the leaf of the entry before it, and every inner node
/// knows the largest hole under each child per alignment class, so that a hole for an aligned size
/// is found in O(log n) and a search that fails has proved that no such hole exists.
///
/// The entries tile nothing: what is not an entry is a hole. Addresses outside the usable ranges
/// are entries too (kind `.unusable`), so the tree always spans [0, 2^64-1].
///
/// Who may touch what: one owner; nothing here is thread-safe. Nodes move only when the tree grows,
/// but their content does, so a `Cursor` is void after any insertion or removal.
///
/// Literature: Bayer and McCreight's B-tree (1972), with the augmentation by subtree maxima of
/// Cormen et al., chapter "Augmenting Data Structures".
@safe
struct IntervalTree: ~Copyable {
    /// A place in the tree: a leaf and an entry in it.
    struct Cursor {
        var leaf: UInt32
        var index: Int
    }

    var leaves: NodePool
    var inners: NodePool
    var root: UInt32
    /// Levels of inner nodes above the leaves; 0 while the root is a leaf.
    var height = 0
    var firstLeaf: UInt32
    /// The maxima over the whole tree: what a parent of the root would hold.
    var rootMaxima: HoleMaxima
    /// The entries, the sentinel not counted.
    var count = 0
    private(set) var entryCapacity: Int
    var path: TreePath
    /// A second path, for the leaf before the one that `path` leads to.
    var sidePath: TreePath

    /// Keeps the compiler from dropping loads that are made for the cache's sake.
    private var warmth: UInt64 = 0
    /// From about this many entries on, the leaf of a random address is in no near cache.
    private static var coldCount: Int { 1 << 14 }

    /// A node that falls below this many entries looks for a neighbour to merge with.
    static var mergeThreshold: Int { 12 }
    /// Two nodes merge when together they hold no more than this: a little room, so that the next
    /// insertion does not split them again.
    static var mergedMaximum: Int { 30 }

    /// A tree of one hole, [0, 2^64-1].
    ///
    /// - Parameter expectedCount: the entries whose memory is had at once.
    init(entryCapacity: Int, expectedCount: Int, _ options: IOVAMetadataOptions) {
        self.entryCapacity = entryCapacity
        let wanted = NodeCounts(entryCapacity: entryCapacity, expectedCount: expectedCount)
        leaves = NodePool(
            capacity: wanted.leaves, stride: LeafNode.byteCount, populated: wanted.populatedLeaves,
            options)
        inners = NodePool(
            capacity: wanted.inners, stride: InnerNode.byteCount, populated: wanted.populatedInners,
            options)
        path = TreePath()
        sidePath = TreePath()
        root = leaves.take()
        firstLeaf = root
        let leaf = unsafe LeafNode(leaves.node(root))
        leaf.count = 0
        leaf.next = NodePool.none
        leaf.previous = NodePool.none
        leaf.end = 0
        // Last 2^64-1 makes the sentinel's hole start at 0.
        leaf.insert(at: 0, first: 0, last: .max, tag: EntryTag(.sentinel))
        rootMaxima = leaf.maxima()
    }

    /// The memory for more entries; nil where there is none.
    func growth(
        entryCapacity: Int, expectedCount: Int, _ options: IOVAMetadataOptions
    ) -> TreeGrowth? {
        let wanted = NodeCounts(entryCapacity: entryCapacity, expectedCount: expectedCount)
        guard
            let leaves = leaves.largerBlock(
                capacity: wanted.leaves, populated: wanted.populatedLeaves, options),
            let inners = inners.largerBlock(
                capacity: wanted.inners, populated: wanted.populatedInners, options)
        else { return nil }
        return TreeGrowth(
            leaves: leaves, inners: inners, counts: wanted, entryCapacity: entryCapacity)
    }

    /// Moves to the memory that `growth` had; links, and so cursors, stay.
    mutating func grow(_ growth: consuming TreeGrowth) {
        entryCapacity = growth.entryCapacity
        let counts = growth.counts
        leaves.move(to: growth.leaves, capacity: counts.leaves)
        inners.move(to: growth.inners, capacity: counts.inners)
    }

    @inline(__always)
    func leaf(_ link: UInt32) -> LeafNode { unsafe LeafNode(leaves.node(link)) }

    @inline(__always)
    func inner(_ link: UInt32) -> InnerNode { unsafe InnerNode(inners.node(link)) }

    /// The leaf that owns `address` and the hole around it.
    @inline(__always)
    private func leafLink(of address: UInt64) -> UInt32 {
        var node = root
        var level = height
        while level > 0 {
            let inner = self.inner(node)
            node = inner.child(inner.slot(of: address))
            level &-= 1
        }
        return node
    }

    /// The last entry that starts at or before `address`: always one, the sentinel at least.
    /// - Complexity: O(log n).
    @inline(__always)
    func find(_ address: UInt64) -> Cursor {
        let link = leafLink(of: address)
        return Cursor(leaf: link, index: leaf(link).index(of: address))
    }

    /// Brings the leaf of an address into the cache: loads from each part of it that a removal
    /// touches.
    ///
    /// - Returns: what was loaded, to be kept so that the loads are made.
    @inline(__always)
    func warm(_ address: UInt64) -> UInt64 {
        leaf(leafLink(of: address)).warm()
    }

    /// Asks for all lines of a leaf that is about to change, so that their misses overlap instead
    /// of following each other as the search and the shifting come to them.
    @inline(__always)
    mutating func warmIfCold(_ link: UInt32) {
        if count > Self.coldCount { warmth = leaf(link).warm() }
    }

    /// As `find`, and leaves the way down in `path`.
    @inline(__always)
    mutating func locate(_ address: UInt64) -> Cursor {
        var node = root
        var level = height
        while level > 0 {
            let inner = self.inner(node)
            let slot = inner.slot(of: address)
            path.set(level, node: node, slot: slot)
            node = inner.child(slot)
            level &-= 1
        }
        warmIfCold(node)
        return Cursor(leaf: node, index: leaf(node).index(of: address))
    }

    /// The entry behind `cursor`, or nil at the end.
    @inline(__always)
    func next(after cursor: Cursor) -> Cursor? {
        let leaf = self.leaf(cursor.leaf)
        if cursor.index + 1 < leaf.count {
            return Cursor(leaf: cursor.leaf, index: cursor.index + 1)
        }
        return leaf.next == NodePool.none ? nil : Cursor(leaf: leaf.next, index: 0)
    }

    /// The entry before `cursor`, the sentinel at last; nil before that.
    func previous(before cursor: Cursor) -> Cursor? {
        if cursor.index > 0 { return Cursor(leaf: cursor.leaf, index: cursor.index - 1) }
        let link = leaf(cursor.leaf).previous
        return link == NodePool.none ? nil : Cursor(leaf: link, index: leaf(link).count - 1)
    }

    var firstCursor: Cursor { Cursor(leaf: firstLeaf, index: 0) }

    @inline(__always)
    func first(_ cursor: Cursor) -> UInt64 { leaf(cursor.leaf).first(cursor.index) }

    @inline(__always)
    func last(_ cursor: Cursor) -> UInt64 { leaf(cursor.leaf).last(cursor.index) }

    @inline(__always)
    func tag(_ cursor: Cursor) -> EntryTag { leaf(cursor.leaf).tag(cursor.index) }

    @inline(__always)
    func setTag(_ cursor: Cursor, _ tag: EntryTag) { leaf(cursor.leaf).setTag(cursor.index, tag) }

    /// The entry that holds `address`, or nil where a hole does.
    @inline(__always)
    func entry(containing address: UInt64) -> Cursor? {
        let cursor = find(address)
        let leaf = self.leaf(cursor.leaf)
        guard leaf.tag(cursor.index).kind != .sentinel, address <= leaf.last(cursor.index) else {
            return nil
        }
        return cursor
    }

    /// The first entry that shares an address with [first, last], or nil.
    func firstOverlap(first: UInt64, last: UInt64) -> Cursor? {
        if let cursor = entry(containing: first) { return cursor }
        guard let cursor = next(after: find(first)), self.first(cursor) <= last else { return nil }
        return cursor
    }
}

/// How many nodes a tree takes.
///
/// `entryCapacity` entries fit however they are spread. Only a node below the merge threshold looks
/// for a neighbour to join, so one of a single entry may stand between full ones that later shrink
/// to the threshold: 13 entries in two nodes at worst.
struct NodeCounts {
    let leaves: Int
    let inners: Int
    let populatedLeaves: Int
    let populatedInners: Int

    init(entryCapacity: Int, expectedCount: Int) {
        populatedLeaves = expectedCount / (LeafNode.capacity - 3) + (expectedCount > 0 ? 4 : 0)
        populatedInners = populatedLeaves / 16 + 1
        leaves = entryCapacity / (IntervalTree.mergeThreshold / 2) + 64
        inners = leaves / (IntervalTree.mergeThreshold / 2) + 64
    }
}

/// Memory for a larger tree, had before anything changes.
struct TreeGrowth: ~Copyable {
    let leaves: MetadataBlock
    let inners: MetadataBlock
    let counts: NodeCounts
    let entryCapacity: Int
}

/// The inner nodes and slots from the root down to a leaf; level 1 is the leaf's parent.
///
/// Sixteen levels of at least ten children hold more entries than 28-bit payloads can name.
@safe
struct TreePath: ~Copyable {
    private let steps: UnsafeMutablePointer<(node: UInt32, slot: UInt32)>

    init() {
        unsafe steps = .allocate(capacity: 17)
        unsafe steps.initialize(repeating: (node: NodePool.none, slot: 0), count: 17)
    }

    deinit { unsafe steps.deallocate() }

    // In bounds: levels run from 1 to the tree's height, at most 16.
    @inline(__always)
    func node(_ level: Int) -> UInt32 { unsafe steps[level].node }

    @inline(__always)
    func slot(_ level: Int) -> Int { unsafe Int(steps[level].slot) }

    @inline(__always)
    func set(_ level: Int, node: UInt32, slot: Int) {
        assert(level >= 1 && level <= 16)
        unsafe steps[level] = (node: node, slot: UInt32(truncatingIfNeeded: slot))
    }

    @inline(__always)
    func setSlot(_ level: Int, _ slot: Int) {
        unsafe steps[level].slot = UInt32(truncatingIfNeeded: slot)
    }

    func copy(from other: borrowing TreePath, levels: ClosedRange<Int>) {
        for level in levels { unsafe steps[level] = other.steps[level] }
    }
}
