internal import CDatapath

/// What a slot says besides its address, in one word so that both change together.
///
/// Where threads share a space, a region is freed by one exchange of this word: of several who try,
/// also against a quarantine, one succeeds.
struct SlotState: Equatable {
    var rawValue: UInt64

    @inline(__always)
    init(rawValue: UInt64) { self.rawValue = rawValue }

    @inline(__always)
    init(generation: UInt32, link: UInt32) {
        rawValue = UInt64(generation) | UInt64(link) << 32
    }

    /// Odd while the slot is in use.
    @inline(__always)
    var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue) }

    @inline(__always)
    var link: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }

    @inline(__always)
    var isInUse: Bool { rawValue & 1 == 1 }

    /// Whether `handle` is the name of a region in this state.
    @inline(__always)
    func isNamed(by handle: IOVAHandle) -> Bool { isInUse && generation == handle.generation }
}

/// The slots of a handle table as memory that threads may reach at once.
///
/// States are read and written as atomic words: plain loads and stores on x86-64 and arm64. An
/// address is read and written only by who owns the slot's region or cached range. Indices are not
/// checked: every caller holds a slot that `HandleTable.take` made, or has checked its bound. The
/// memory is the table's, and moves when the table grows.
@safe
struct HandleSlots {
    private struct Slot {
        /// The region's first address.
        var first: UInt64
        var state: UInt64
    }

    private let base: UnsafeMutablePointer<Slot>

    static var stride: Int { MemoryLayout<Slot>.stride }

    /// - Parameter bytes: room for `capacity` slots, whose content is arbitrary: a slot is first
    ///   written before anybody learns its number.
    init(_ bytes: UnsafeMutableRawPointer, capacity: Int) {
        unsafe base = bytes.bindMemory(to: Slot.self, capacity: capacity)
    }

    /// The word of a slot's state: 8 bytes behind its start.
    @inline(__always)
    private func word(_ slot: UInt32) -> UnsafeMutablePointer<UInt64> {
        // Slot is two words, bound as such or not: the shims only see an address.
        unsafe UnsafeMutableRawPointer(base + Int(slot)).assumingMemoryBound(to: UInt64.self) + 1
    }

    @inline(__always)
    func first(_ slot: UInt32) -> UInt64 { unsafe base[Int(slot)].first }

    @inline(__always)
    func setFirst(_ slot: UInt32, _ first: UInt64) { unsafe base[Int(slot)].first = first }

    @inline(__always)
    func state(_ slot: UInt32) -> SlotState {
        unsafe SlotState(rawValue: cdp_load_relaxed(word(slot)))
    }

    /// By the owner of the slot, whom nobody contests.
    @inline(__always)
    func setState(_ slot: UInt32, _ state: SlotState) {
        unsafe cdp_store_relaxed(word(slot), state.rawValue)
    }

    /// As `setState`, for a slot that others may learn of: what was written before is seen by who
    /// frees the region.
    @inline(__always)
    func publishState(_ slot: UInt32, _ state: SlotState) {
        unsafe cdp_store_release(word(slot), state.rawValue)
    }

    /// Whether the state was `old` and is now `new`: of several who try, one is told so.
    @inline(__always)
    func exchangeState(_ slot: UInt32, _ old: SlotState, for new: SlotState) -> Bool {
        unsafe cdp_exchange_if(word(slot), old.rawValue, new.rawValue)
    }
}
