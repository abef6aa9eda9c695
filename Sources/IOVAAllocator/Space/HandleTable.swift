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
/// A slot is in use (odd generation), cached in a magazine, or free. What its link means follows
/// from that: the class of its size plus 1 (0 for a size or region that is never cached), the next
/// cached slot of the class, or the next free slot.
///
/// Who may touch what: the table has one owner at a time. Where threads share a space, a slot in
/// use whose link is not 0, and a slot in a thread's cache, change without the owner: see
/// `SharedIOVASpace`.
@safe
struct HandleTable: ~Copyable {
    private var block: MetadataBlock
    /// In `block`.
    private(set) var slots: HandleSlots
    private(set) var capacity: Int
    /// Slots in use or cached.
    private(set) var count = 0
    /// Slots below this have been taken at least once.
    private(set) var frontier: UInt32 = 0
    private var freeHead = UInt32.max
    /// Where threads share the space; `freeHead` is then the list of who takes at present.
    private var homes: SlotHomes?
    private let isShared: Bool

    /// - Parameters:
    ///   - populated: the slots whose memory is had at once.
    ///   - isShared: whether slots have a home.
    init(
        capacity wanted: Int, populated: Int, _ options: IOVAMetadataOptions, isShared: Bool = false
    ) {
        capacity = Self.wholeChunks(wanted, isShared)
        // At least a cache line's alignment, so that no slot lies across two.
        let stride = HandleSlots.stride
        block = MetadataBlock.make(
            byteCount: max(capacity, 1) * stride, populated: min(populated, capacity) * stride,
            options)
        slots = unsafe HandleSlots(block.base, capacity: max(capacity, 1))
        homes = isShared ? SlotHomes(capacity: capacity, options) : nil
        self.isShared = isShared
    }

    private static func wholeChunks(_ capacity: Int, _ isShared: Bool) -> Int {
        let chunk = isShared ? SlotHomes.chunk : 1
        return (capacity + chunk - 1) / chunk * chunk
    }

    /// The memory for more slots; nil where there is none.
    func growth(
        capacity wanted: Int, populated: Int, _ options: IOVAMetadataOptions
    ) -> HandleGrowth? {
        let larger = Self.wholeChunks(wanted, isShared)
        precondition(larger >= capacity)
        let stride = HandleSlots.stride
        guard
            let slots = MetadataBlock.allocate(
                byteCount: larger * stride, populated: min(populated, larger) * stride, options)
        else { return nil }
        guard isShared else { return HandleGrowth(slots: slots, homes: nil, capacity: larger) }
        guard let homes = SlotHomes.block(capacity: larger, options) else { return nil }
        return HandleGrowth(slots: slots, homes: homes, capacity: larger)
    }

    /// Moves to the memory that `growth` had; the slots' numbers, and so handles, stay.
    mutating func grow(_ growth: consuming HandleGrowth) {
        let larger = growth.capacity
        growth.slots.copy(from: block, byteCount: touchedByteCount)
        if let homes = growth.homes { self.homes?.move(to: homes, count: Int(frontier)) }
        slots = unsafe HandleSlots(growth.slots.base, capacity: larger)
        block = growth.slots
        capacity = larger
    }

    /// The bytes that slots in use, or once in use, occupy.
    var touchedByteCount: Int { Int(frontier) * HandleSlots.stride }

    /// The bytes that say which thread these belong to.
    var homesByteCount: Int { isShared ? SlotHomes.byteCount(slots: Int(frontier)) : 0 }

    /// A slot in use. The caller has checked the capacity.
    @inline(__always)
    mutating func take(first: UInt64, link: UInt32) -> IOVAHandle {
        precondition(count < capacity, "the caller checks the capacity first")
        count &+= 1
        let index: UInt32
        let generation: UInt32
        if isShared, freeHead == .max { refillFreeList() }
        // In bounds: a free slot's link and the frontier stay below the capacity.
        if freeHead != .max {
            index = freeHead
            let state = slots.state(index)
            freeHead = state.link
            generation = state.generation &+ 1
        } else {
            index = frontier
            frontier &+= 1
            generation = 1
        }
        slots.setFirst(index, first)
        slots.setState(index, SlotState(generation: generation, link: link))
        return IOVAHandle(slot: index, generation: generation)
    }

    @inline(__always)
    func isInUse(_ handle: IOVAHandle) -> Bool {
        handle.slot < frontier && slots.state(handle.slot).isNamed(by: handle)
    }

    /// The first address of the region that the handle names, or nil where it names none.
    @inline(__always)
    func first(_ handle: IOVAHandle) -> UInt64? {
        isInUse(handle) ? first(ofSlot: handle.slot) : nil
    }

    @inline(__always)
    func first(ofSlot slot: UInt32) -> UInt64 { slots.first(slot) }

    @inline(__always)
    func link(ofSlot slot: UInt32) -> UInt32 { slots.state(slot).link }

    @inline(__always)
    mutating func setLink(ofSlot slot: UInt32, _ link: UInt32) {
        let generation = slots.state(slot).generation
        slots.setState(slot, SlotState(generation: generation, link: link))
    }

    /// Whether a slot that an entry of the tree names is cached: its range is free.
    @inline(__always)
    func isCached(_ slot: UInt32) -> Bool { !slots.state(slot).isInUse }

    /// The handle of a slot in use.
    @inline(__always)
    func handle(ofSlot slot: UInt32) -> IOVAHandle {
        assert(slot < frontier)
        return IOVAHandle(slot: slot, generation: slots.state(slot).generation)
    }

    /// From in use to cached: the handle is stale from now on.
    @inline(__always)
    mutating func cache(_ slot: UInt32, link: UInt32) {
        let generation = slots.state(slot).generation &+ 1
        slots.setState(slot, SlotState(generation: generation, link: link))
    }

    /// From cached to in use, under a new handle.
    @inline(__always)
    mutating func revive(_ slot: UInt32, link: UInt32) -> IOVAHandle {
        let generation = slots.state(slot).generation &+ 1
        slots.setState(slot, SlotState(generation: generation, link: link))
        return IOVAHandle(slot: slot, generation: generation)
    }

    /// From in use or cached to free.
    @inline(__always)
    mutating func give(_ slot: UInt32) {
        assert(slot < frontier)
        let generation = slots.state(slot).generation
        // Even afterwards, and another than any handle that was given out.
        slots.setState(
            slot,
            SlotState(generation: generation &+ (generation & 1), link: below(freed: slot)))
        count &-= 1
    }

    /// Puts a slot on the list that it belongs to; answers what it links to.
    @inline(__always)
    private mutating func below(freed slot: UInt32) -> UInt32 {
        if isShared, let below = putElsewhere(slot) { return below }
        let below = freeHead
        freeHead = slot
        return below
    }

    /// Puts a slot on its home's list, unless that is who takes at present: then nil.
    private mutating func putElsewhere(_ slot: UInt32) -> UInt32? {
        guard let home = homes?.home(of: slot), home != homes?.current else { return nil }
        return homes?.put(slot, in: home)
    }

    /// Where slots have homes: a new chunk for who takes at present, or a list of somebody else's.
    private mutating func refillFreeList() {
        guard Int(frontier) < capacity else {
            freeHead = homes?.stealList() ?? .max
            return
        }
        homes?.claimChunk(startingAt: frontier)
        frontier += UInt32(SlotHomes.chunk)
        for slot in (frontier - UInt32(SlotHomes.chunk)..<frontier).reversed() {
            // Generation 0: no handle fits.
            slots.setState(slot, SlotState(generation: 0, link: freeHead))
            freeHead = slot
        }
    }

    /// Says who takes slots from now on.
    mutating func serve(_ home: Int) {
        freeHead = homes?.change(to: home, puttingAway: freeHead) ?? freeHead
    }
}

/// Memory for a larger handle table, had before anything changes.
struct HandleGrowth: ~Copyable {
    let slots: MetadataBlock
    let homes: MetadataBlock?
    let capacity: Int
}
