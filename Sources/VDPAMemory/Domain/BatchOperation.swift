internal import HostMemory

/// By what right a region is freed.
struct FreeRight: Hashable, Sendable {
    /// By the `DMARegion` that owns it; else nobody may own it.
    var byOwner = false
    /// Although the device may use it for an enabled ring.
    var force = false
}

/// What a batch is to do, with what was prepared outside the domain's lock. What is alike and
/// follows each other is one item: a batch of thousands of small regions has few.
enum BatchOperation {
    /// A region with a mapping of its own.
    case allocate(RegionID, byteCount: UInt64, SettledOptions, MemoryBox)
    /// Parts of shared extents.
    case carve(CarveRun)
    case register(RegionID, ExternalRange, Placement, DMAAccess, Isolation)
    case free([RegionID], FreeRight)
    /// A region that the same batch named and freed: neither is done. Keeps its place, so that the
    /// others keep their numbers.
    case nothing

    /// How many operations of the caller it is.
    var count: Int {
        switch self {
        case .carve(let run): run.items.count
        case .free(let ids, _): ids.count
        case .allocate, .register, .nothing: 1
        }
    }

    /// Regions that it makes.
    func forEachNamed(_ body: (RegionID) -> Void) {
        switch self {
        case .allocate(let id, _, _, _), .register(let id, _, _, _, _): body(id)
        case .carve(let run): for item in run.items where !item.isCancelled { body(item.id) }
        case .free, .nothing: break
        }
    }

    /// Takes the region out, if it makes it; the numbers of all operations stay.
    mutating func cancel(_ id: RegionID) -> Bool {
        switch self {
        case .allocate(id, _, _, _), .register(id, _, _, _, _):
            self = .nothing
            return true
        case .carve(var run):
            // The only owner of the items changes them in place.
            self = .nothing
            let isCancelled = run.cancel(id)
            self = .carve(run)
            return isCancelled
        case .allocate, .register, .free, .nothing: return false
        }
    }

    var isFree: Bool {
        if case .free = self { return true }
        return false
    }

    /// Whether its regions are carved from shared extents.
    var isCarved: Bool {
        if case .carve = self { return true }
        return false
    }
}

/// Regions with the same options, carved one after the other.
struct CarveRun {
    struct Item {
        let id: RegionID
        /// Whole pages; 0 where the batch has freed it again.
        var byteCount: UInt64

        var isCancelled: Bool { byteCount == 0 }
    }

    let wanted: SettledOptions
    var items: [Item]

    /// Saturated.
    var byteCount: Int {
        var sum: UInt64 = 0
        for item in items {
            let (next, overflow) = sum.addingReportingOverflow(item.byteCount)
            sum = overflow ? .max : next
        }
        return Int(clamping: sum)
    }

    mutating func cancel(_ id: RegionID) -> Bool {
        guard let index = items.lastIndex(where: { $0.id == id && !$0.isCancelled }) else {
            return false
        }
        items[index].byteCount = 0
        return true
    }
}

/// The caller's memory, as it was found when it was registered.
struct ExternalRange {
    var address: UInt
    var byteCount: UInt64
    /// Mappings of the process that it lies in: entries on a device that maps by virtual address.
    var areaCount: Int
}
