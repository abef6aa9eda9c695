internal import HostMemory

/// What one UPDATE message maps and one unmap removes: regions are carved inside an extent, or
/// are an extent each.
///
/// Who may touch what: only the domain that made it, under its lock. That is why it can be
/// `@unchecked Sendable`.
final class Extent: @unchecked Sendable {
    private(set) var range: IOVARange
    /// Where the range's first byte lies in this process.
    let address: UInt
    let access: DMAAccess
    /// The library's own memory; nil for memory that the caller registered.
    let memory: MemoryBox?
    /// The space that regions are carved from; nil for an extent of its own.
    let carver: Carver?
    /// May become one extent with its neighbours: only memory that was registered as shared.
    let isJoinable: Bool
    /// Entries that the range holds in the domain's space.
    private(set) var handles: [IOVAHandle]
    var liveRegions = 0
    /// Bytes of the regions carved from it.
    var carvedBytes: UInt64 = 0
    /// Regions that the batch under way frees.
    var pendingFrees = 0
    /// Since when it waits in quarantine, in nanoseconds of the domain's clock; nil while it lives.
    var quarantinedAt: UInt64?
    /// Entries of the kernel's table, by the kind of device.
    private(set) var entries: ExtentEntries
    /// Bytes from the start that have had an owner: above them the memory still reads as zeros.
    var dirtyByteCount: UInt64 = 0

    init(
        range: IOVARange, address: UInt, access: DMAAccess, memory: MemoryBox?, carver: Carver?,
        handle: IOVAHandle, entries: ExtentEntries, isJoinable: Bool
    ) {
        self.range = range
        self.address = address
        self.access = access
        self.memory = memory
        self.carver = carver
        self.handles = [handle]
        self.entries = entries
        self.isJoinable = isJoinable
    }

    /// A range placed by the space is never all of 2^64 bytes.
    var byteCount: UInt64 { range.last.rawValue - range.first.rawValue + 1 }

    /// Bytes that no region of a shared extent has.
    var freeBytes: UInt64 { byteCount - carvedBytes }

    var isInQuarantine: Bool { quarantinedAt != nil }

    func replaceHandles(_ handles: [IOVAHandle]) { self.handles = handles }

    /// Whether `next` continues this extent, in IOVA and in memory, so that one message can map
    /// both.
    func canJoin(_ next: Extent) -> Bool {
        isJoinable && next.isJoinable && access == next.access
            && range.isFollowed(by: next.range) && UInt64(address) + byteCount == next.address
    }

    /// Takes over a neighbour that `canJoin`.
    func join(_ next: Extent) {
        range = IOVARange(first: range.first, last: next.range.last)
        handles += next.handles
        liveRegions += next.liveRegions
        entries.join(next.entries)
    }
}

/// What an extent takes of the kernel's table, which depends on the device.
struct ExtentEntries: Hashable, Sendable {
    /// Pages of the memory's page size: the most physically contiguous runs that there can be.
    var pageCount: Int
    /// Areas of the process (VMAs).
    var areaCount: Int
    /// Where registrations were joined: two of them may lie in one area there, which then counts
    /// once.
    var joinCount = 0

    /// - Parameter pinned: whether the device's pages are pinned; else it maps by virtual address.
    func bounds(pinned: Bool) -> EntryBounds {
        pinned
            ? EntryBounds(lower: 1, upper: max(areaCount, pageCount))
            : EntryBounds(lower: areaCount - joinCount, upper: areaCount)
    }

    mutating func join(_ next: ExtentEntries) {
        pageCount += next.pageCount
        areaCount += next.areaCount
        joinCount += next.joinCount + 1
    }
}

/// How many entries of the kernel's table something takes. The kernel makes one entry per
/// physically contiguous run of pages (per VMA on a device that maps by virtual address), which
/// nobody outside it can know.
struct EntryBounds: Hashable, Sendable {
    var lower: Int
    var upper: Int

    static func += (left: inout EntryBounds, right: EntryBounds) {
        left.lower += right.lower
        left.upper += right.upper
    }

    static func -= (left: inout EntryBounds, right: EntryBounds) {
        left.lower -= right.lower
        left.upper -= right.upper
    }
}
