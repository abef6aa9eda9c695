internal import Synchronization

/// Names a region where its owner cannot be stored: in arrays, and across the C ABI.
///
/// It says of which domain as well, so that an ID given to the wrong domain names nothing there
/// instead of a region of somebody else.
public struct RegionID: Hashable, Sendable {
    /// The number of the domain's table in this process.
    package let table: UInt32
    package let slot: UInt32
    package let generation: UInt32

    package init(table: UInt32, slot: UInt32, generation: UInt32) {
        self.table = table
        self.slot = slot
        self.generation = generation
    }
}

/// What the domain keeps of a region.
struct RegionRecord {
    enum State {
        /// Named by a batch that has not been committed.
        case pending
        case live
        /// A batch that is being committed frees it.
        case freeing
    }

    var state = State.pending
    /// Whether a `DMARegion` owns it: then nobody else may free it.
    var isOwned = false
    var access = DMAAccess.readWrite
    /// Whether the range is part of a shared extent, and `handle` one of its carver's space.
    var isCarved = false
    /// Between bytes that are there anyway: a tag does not make the record larger.
    var tag = RegionTag.none
    var first: UInt64 = 0
    var byteCount: UInt64 = 0
    var address: UInt = 0
    var handle = IOVAHandle(slot: 0, generation: 0)
    /// The slot, in the domain's space, under which the extent is found.
    var extentSlot: UInt32 = 0

    var range: IOVARange { IOVARange(first: first, last: first + (byteCount - 1)) }
}

/// The regions of a domain by slot and generation: all memory taken at creation.
@safe
struct RegionTable: ~Copyable {
    private struct Slot {
        var record: RegionRecord
        /// Odd while in use.
        var generation: UInt32
        var nextFree: UInt32
    }

    /// Of all tables that the process has had; wraps after 2^32 of them.
    private static let tableCount = Atomic<UInt32>(0)

    /// First: of a loadable structure Swift 6.3 instruments the first property for ThreadSanitizer
    /// in the place of the one that is used, and crashes where that is no pointer.
    private let slots: UnsafeMutablePointer<Slot>
    private let number: UInt32
    let capacity: Int
    private(set) var count = 0
    private var frontier: UInt32 = 0
    private var freeHead = UInt32.max

    init(capacity: Int) {
        number = RegionTable.tableCount.wrappingAdd(1, ordering: .relaxed).newValue
        unsafe slots = .allocate(capacity: capacity)
        self.capacity = capacity
    }

    deinit { unsafe slots.deallocate() }

    /// A new region, pending unless the record says more, or nil when all slots are in use.
    mutating func take(_ record: RegionRecord = RegionRecord()) -> RegionID? {
        guard count < capacity else { return nil }
        count += 1
        // In bounds: free links and the frontier stay below the capacity, and a slot below the
        // frontier has been initialised.
        if freeHead != .max {
            let index = freeHead
            unsafe freeHead = slots[Int(index)].nextFree
            unsafe slots[Int(index)].generation &+= 1
            unsafe slots[Int(index)].record = record
            let generation = unsafe slots[Int(index)].generation
            return RegionID(table: number, slot: index, generation: generation)
        }
        let index = frontier
        frontier += 1
        unsafe (slots + Int(index)).initialize(
            to: Slot(record: record, generation: 1, nextFree: .max))
        return RegionID(table: number, slot: index, generation: 1)
    }

    /// Returns a slot. The ID names nothing from now on.
    mutating func give(_ id: RegionID) {
        precondition(contains(id), "only a region in use is given back")
        unsafe slots[Int(id.slot)].generation &+= 1
        unsafe slots[Int(id.slot)].nextFree = freeHead
        freeHead = id.slot
        count -= 1
    }

    func contains(_ id: RegionID) -> Bool {
        guard id.table == number, id.slot < frontier, id.generation & 1 == 1 else { return false }
        return unsafe slots[Int(id.slot)].generation == id.generation
    }

    /// The record, or nil where the ID is stale.
    func record(_ id: RegionID) -> RegionRecord? {
        guard contains(id) else { return nil }
        return unsafe slots[Int(id.slot)].record
    }

    mutating func update(_ id: RegionID, _ change: (inout RegionRecord) -> Void) {
        precondition(contains(id), "only a region in use is changed")
        unsafe change(&slots[Int(id.slot)].record)
    }

    func visit(_ body: (RegionID, RegionRecord) -> Void) {
        for index in 0..<frontier {
            let slot = unsafe slots[Int(index)]
            if slot.generation & 1 == 1 {
                let id = RegionID(table: number, slot: index, generation: slot.generation)
                body(id, slot.record)
            }
        }
    }
}
