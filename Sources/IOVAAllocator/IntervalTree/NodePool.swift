/// Fixed-size nodes in one block of memory, named by 32-bit links.
///
/// All address space is taken at creation, or when the pool is moved to a larger block, and the
/// memory for as many nodes as a usual load needs: a first touch later costs a page fault in the
/// middle of somebody's request. Links outlive a move, addresses do not. Not thread-safe: its owner
/// is.
@safe
struct NodePool: ~Copyable {
    /// No node.
    static var none: UInt32 { .max }

    // Immutable, also where a pool grows: what the compiler has loaded once it need not load again
    // after every store into a node.
    private let block: MetadataBlock
    private let stride: Int
    let capacity: Int
    private(set) var usedCount = 0
    /// Nodes below this have been handed out at least once.
    private var frontier: UInt32 = 0
    private var freeHead = NodePool.none

    /// - Parameter populated: the nodes whose memory is had at once.
    init(capacity: Int, stride: Int, populated: Int, _ options: IOVAMetadataOptions) {
        precondition(capacity > 0 && capacity < Int(UInt32.max))
        block = MetadataBlock.make(
            byteCount: capacity * stride, populated: min(populated, capacity) * stride, options)
        self.stride = stride
        self.capacity = capacity
    }

    /// A block for `move`; nil where there is no memory for it.
    func largerBlock(
        capacity: Int, populated: Int, _ options: IOVAMetadataOptions
    ) -> MetadataBlock? {
        precondition(capacity >= self.capacity && capacity < Int(UInt32.max))
        return MetadataBlock.allocate(
            byteCount: capacity * stride, populated: min(populated, capacity) * stride, options)
    }

    /// Moves every node to a block of `largerBlock`; the links stay.
    mutating func move(to larger: consuming MetadataBlock, capacity: Int) {
        larger.copy(from: block, byteCount: touchedByteCount)
        self = NodePool(replacing: self, by: larger, capacity: capacity)
    }

    private init(
        replacing smaller: borrowing NodePool, by block: consuming MetadataBlock, capacity: Int
    ) {
        self.block = block
        self.capacity = capacity
        stride = smaller.stride
        usedCount = smaller.usedCount
        frontier = smaller.frontier
        freeHead = smaller.freeHead
    }

    var freeCount: Int { capacity - usedCount }

    /// The bytes that nodes in use, or once in use, occupy.
    var touchedByteCount: Int { Int(frontier) * stride }

    @inline(__always)
    func node(_ link: UInt32) -> UnsafeMutableRawPointer {
        assert(link < frontier)
        // In bounds: only `take` makes links, and it stays below the capacity.
        return unsafe block.base + Int(link) &* stride
    }

    /// A node with arbitrary content. The caller has checked `freeCount`.
    mutating func take() -> UInt32 {
        usedCount += 1
        if freeHead != NodePool.none {
            let link = freeHead
            freeHead = unsafe node(link).load(as: UInt32.self)
            return link
        }
        precondition(Int(frontier) < capacity, "the caller checks freeCount first")
        frontier += 1
        return frontier - 1
    }

    mutating func give(_ link: UInt32) {
        unsafe node(link).storeBytes(of: freeHead, as: UInt32.self)
        freeHead = link
        usedCount -= 1
    }
}
