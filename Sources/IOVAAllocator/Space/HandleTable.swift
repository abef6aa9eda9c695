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
///
/// A slot is in use (odd generation), cached in the magazine, or free. What its link means follows
/// from that: the class of its size plus 1 (0 for a size or region that is never cached), the next
/// cached slot of the class, or the next free slot.
@safe
struct HandleTable: ~Copyable {
    private struct Slot {
        /// The region's first address.
        var first: UInt64
        /// Odd while the slot is in use.
        var generation: UInt32
        var link: UInt32
    }

    private let slots: UnsafeMutablePointer<Slot>
    let capacity: Int
    /// Slots in use or cached.
    private(set) var count = 0
    private var frontier: UInt32 = 0
    private var freeHead = UInt32.max

    /// - Parameter populated: the slots whose memory is had at once.
    init(capacity: Int, populated: Int, advice: IOVAMetadataAdvice?) {
        // At least a cache line's alignment, so that no slot lies across two.
        let stride = MemoryLayout<Slot>.stride
        let bytes = unsafe MetadataBlock.allocate(
            byteCount: max(capacity, 1) * stride, populated: min(populated, capacity) * stride,
            advice)
        unsafe slots = bytes.bindMemory(to: Slot.self, capacity: max(capacity, 1))
        self.capacity = capacity
    }

    deinit { unsafe UnsafeMutableRawPointer(slots).deallocate() }

    /// The bytes that slots in use, or once in use, occupy.
    var touchedByteCount: Int { Int(frontier) * MemoryLayout<Slot>.stride }

    /// A slot in use. The caller has checked the capacity.
    @inline(__always)
    mutating func take(first: UInt64, link: UInt32) -> IOVAHandle {
        precondition(count < capacity, "the caller checks the capacity first")
        count &+= 1
        let index: UInt32
        // In bounds: a free slot's link and the frontier stay below the capacity.
        if freeHead != .max {
            index = freeHead
            unsafe freeHead = slots[Int(index)].link
            unsafe slots[Int(index)].first = first
            unsafe slots[Int(index)].generation &+= 1
            unsafe slots[Int(index)].link = link
        } else {
            index = frontier
            frontier &+= 1
            unsafe (slots + Int(index)).initialize(
                to: Slot(first: first, generation: 1, link: link))
        }
        return unsafe IOVAHandle(slot: index, generation: slots[Int(index)].generation)
    }

    @inline(__always)
    func isInUse(_ handle: IOVAHandle) -> Bool {
        guard handle.slot < frontier, handle.generation & 1 == 1 else { return false }
        return unsafe slots[Int(handle.slot)].generation == handle.generation
    }

    /// The first address of the region that the handle names, or nil where it names none.
    @inline(__always)
    func first(_ handle: IOVAHandle) -> UInt64? {
        isInUse(handle) ? first(ofSlot: handle.slot) : nil
    }

    @inline(__always)
    func first(ofSlot slot: UInt32) -> UInt64 { unsafe slots[Int(slot)].first }

    @inline(__always)
    func link(ofSlot slot: UInt32) -> UInt32 { unsafe slots[Int(slot)].link }

    @inline(__always)
    mutating func setLink(ofSlot slot: UInt32, _ link: UInt32) {
        unsafe slots[Int(slot)].link = link
    }

    /// Whether a slot that an entry of the tree names is cached: its range is free.
    @inline(__always)
    func isCached(_ slot: UInt32) -> Bool { unsafe slots[Int(slot)].generation & 1 == 0 }

    /// The handle of a slot in use.
    @inline(__always)
    func handle(ofSlot slot: UInt32) -> IOVAHandle {
        assert(slot < frontier)
        return unsafe IOVAHandle(slot: slot, generation: slots[Int(slot)].generation)
    }

    /// From in use to cached: the handle is stale from now on.
    @inline(__always)
    mutating func cache(_ slot: UInt32, link: UInt32) {
        unsafe slots[Int(slot)].generation &+= 1
        unsafe slots[Int(slot)].link = link
    }

    /// From cached to in use, under a new handle.
    @inline(__always)
    mutating func revive(_ slot: UInt32, link: UInt32) -> IOVAHandle {
        unsafe slots[Int(slot)].generation &+= 1
        unsafe slots[Int(slot)].link = link
        return handle(ofSlot: slot)
    }

    /// From in use or cached to free.
    @inline(__always)
    mutating func give(_ slot: UInt32) {
        assert(slot < frontier)
        // Even afterwards, and another than any handle that was given out.
        unsafe slots[Int(slot)].generation &+= slots[Int(slot)].generation & 1
        unsafe slots[Int(slot)].link = freeHead
        freeHead = slot
        count &-= 1
    }
}
