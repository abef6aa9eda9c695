internal import IOVAAllocator

/// What the workload remembers of one region: 24 bytes.
struct Slot {
    var address: UInt64
    var handle: IOVAHandle
    var pages: UInt32
    var live: UInt32

    init(address: UInt64, handle: IOVAHandle, pages: UInt32) {
        (self.address, self.handle, self.pages, live) = (address, handle, pages, 1)
    }

    init(_ allocation: IOVAAllocation, pages: UInt32) {
        let address = allocation.range.first.rawValue
        self.init(address: address, handle: allocation.handle, pages: pages)
    }

    var byteCount: UInt64 { RegionShape.byteCount(pages: pages) }
    var isLive: Bool { live != 0 }
}

/// The workload's slots, as plain memory: the loops under the clock pay no array bookkeeping.
///
/// Safe to hold: one owner, whose memory goes with it; the unchecked index is its one rule.
@safe
struct SlotTable: ~Copyable {
    let count: Int
    private let base: UnsafeMutablePointer<Slot>

    /// All slots empty: zero bytes, of which only `live` is ever read until a region is stored.
    init(count: Int) {
        self.count = count
        let raw = UnsafeMutableRawPointer.allocate(
            byteCount: count * MemoryLayout<Slot>.stride, alignment: 64)
        // Safe: the block has exactly this size, and Slot holds integers only.
        unsafe raw.initializeMemory(
            as: UInt8.self, repeating: 0, count: count * MemoryLayout<Slot>.stride)
        unsafe base = raw.bindMemory(to: Slot.self, capacity: count)
    }

    deinit { unsafe base.deallocate() }

    /// Unchecked, since it stands in the measured loops; a trace draws its victims below `count`.
    subscript(index: Int) -> Slot {
        @inline(__always) get { unsafe base[index] }
        @inline(__always) nonmutating set { unsafe base[index] = newValue }
    }

    @inline(__always)
    func empty(_ index: Int) { unsafe base[index].live = 0 }

    /// The live slots in the order of their addresses.
    func liveByAddress() -> [Slot] {
        (0..<count).map { self[$0] }.filter(\.isLive).sorted { $0.address < $1.address }
    }
}

extension SlotTable {
    /// What is wrong with the live regions: two overlap, one is out of alignment or out of the
    /// range. Nil where nothing is. O(n log n), never under the clock.
    func fault(within range: IOVARange) -> String? {
        var end: UInt64 = 0
        for slot in liveByAddress() {
            let alignment = RegionShape.alignment(pages: slot.pages)
            guard let region = IOVARange(first: IOVA(slot.address), byteCount: slot.byteCount)
            else { return "a region at \(IOVA(slot.address)) wraps around" }
            guard region.first.isAligned(to: alignment) else {
                return "\(region) is not aligned to \(alignment) bytes"
            }
            guard range.contains(region) else { return "\(region) lies outside \(range)" }
            guard slot.address >= end else { return "\(region) overlaps the region before it" }
            end = slot.address + slot.byteCount
        }
        return nil
    }

    /// The lowest address at which `pages` fit between the live regions, aligned; nil where none
    /// does. O(n log n), never under the clock.
    func hole(for pages: UInt32, within range: IOVARange) -> UInt64? {
        let alignment = RegionShape.alignment(pages: pages)
        let byteCount = RegionShape.byteCount(pages: pages)
        var end = range.first.rawValue
        for slot in liveByAddress() {
            let address = (end + alignment - 1) / alignment * alignment
            if address + byteCount <= slot.address { return address }
            end = slot.address + slot.byteCount
        }
        let address = (end + alignment - 1) / alignment * alignment
        return address + byteCount - 1 <= range.last.rawValue ? address : nil
    }

    /// The span of the live regions over their bytes: 1 where no hole lies between them.
    func spanOverLive() -> Double? {
        let slots = liveByAddress()
        guard let first = slots.first, let last = slots.last else { return nil }
        let live = slots.reduce(UInt64(0)) { $0 + $1.byteCount }
        return Double(last.address + last.byteCount - first.address) / Double(live)
    }
}
