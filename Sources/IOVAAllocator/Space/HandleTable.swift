/// Names a region: a slot and the slot's generation, so that a handle outlives its region without
/// ever naming another.
///
/// 31 bits of generation: a slot would have to be reused two thousand million times for a stale
/// handle to fit again.
@frozen
public struct IOVAHandle: Hashable, Sendable {
    public let slot: UInt32
    public let generation: UInt32

    @inlinable
    public init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }
}

/// From handle to address: 16 bytes per slot, reused last in, first out.
@safe
struct HandleTable: ~Copyable {
    private struct Slot {
        /// The region's first address; in a free slot, the next free slot.
        var first: UInt64
        /// Odd while the slot is in use.
        var generation: UInt32
        var unused: UInt32 = 0
    }

    private let slots: UnsafeMutablePointer<Slot>
    let capacity: Int
    private(set) var count = 0
    private var frontier: UInt32 = 0
    private var freeHead = UInt32.max

    init(capacity: Int) {
        unsafe slots = .allocate(capacity: max(capacity, 1))
        self.capacity = capacity
    }

    deinit { unsafe slots.deallocate() }

    /// The bytes that slots in use, or once in use, occupy.
    var touchedByteCount: Int { Int(frontier) * MemoryLayout<Slot>.stride }

    var isFull: Bool { count == capacity }

    /// The caller has checked `isFull`.
    @inline(__always)
    mutating func take(first: UInt64) -> IOVAHandle {
        precondition(count < capacity, "the caller checks isFull first")
        count &+= 1
        let index: UInt32
        // In bounds: a free slot's link and the frontier stay below the capacity.
        if freeHead != .max {
            index = freeHead
            unsafe freeHead = UInt32(truncatingIfNeeded: slots[Int(index)].first)
            unsafe slots[Int(index)].first = first
            unsafe slots[Int(index)].generation &+= 1
        } else {
            index = frontier
            frontier &+= 1
            unsafe (slots + Int(index)).initialize(to: Slot(first: first, generation: 1))
        }
        return unsafe IOVAHandle(slot: index, generation: slots[Int(index)].generation)
    }

    /// The first address of the region that the handle names, or nil where it names none.
    @inline(__always)
    func first(_ handle: IOVAHandle) -> UInt64? {
        guard handle.slot < frontier, handle.generation & 1 == 1,
            unsafe slots[Int(handle.slot)].generation == handle.generation
        else { return nil }
        return unsafe slots[Int(handle.slot)].first
    }

    /// The handle of a slot in use.
    @inline(__always)
    func handle(ofSlot slot: UInt32) -> IOVAHandle {
        assert(slot < frontier)
        return unsafe IOVAHandle(slot: slot, generation: slots[Int(slot)].generation)
    }

    @inline(__always)
    mutating func give(_ slot: UInt32) {
        assert(slot < frontier)
        unsafe slots[Int(slot)].generation &+= 1
        unsafe slots[Int(slot)].first = UInt64(freeHead)
        freeHead = slot
        count &-= 1
    }
}
