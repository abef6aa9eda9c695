internal import HostMemory
internal import VhostVDPA

/// What a domain knows: one space, its regions and extents, its targets. All of it behind the
/// domain's lock.
///
/// A change goes through the same five steps, whatever it is: plan (place in the space), check
/// (budgets), send (messages), publish; or abort, which takes back what was planned.
///
/// What runs for every region is `mutating` also where it changes nothing: to lend it to a function
/// that only reads, Swift 6.3 copies all 1056 bytes of it, which was a third of a carve.
struct DomainState: ~Copyable {
    /// Extents, registered regions, reservations, quarantine.
    var space: IOVASpace
    var regions: RegionTable
    /// The extent of each range in `space`, by its handle's slot.
    var extentOfSlot: [Extent?] = []
    var carvers: [Carver] = []
    var targets: [MappingTarget]
    /// Freed, not yet confirmed unmapped: never reused, never returned to the system.
    var quarantine: [Extent] = []
    var quarantinedBytes: UInt64 = 0
    let options: DMADomainOptions
    /// Windows that stay closed although the last device has been detached.
    var windowsKept: [IOVARange] = []
    /// What all targets can address, inside the options' window.
    var range: IOVARange
    /// Where the library's memory is had by default: the node of the first device.
    var numaNode: Int? { targets.first?.device.numaNode }
    var counters = DomainCounters()
    /// Messages that were sent to address spaces which have left, or did not come to stay.
    var retiredMessages = IOTLBMessageCounts()
    /// Address to IOVA and back; nil until somebody asks for the translator.
    var translation: TranslationTables?
    /// Of the regions that are live, so that nobody has to walk them.
    var liveRegionCount = 0
    var liveRegionBytes: UInt64 = 0
    var isClosed = false
    /// What the plan under way could not go on without.
    var extentNeed: ExtentNeed?
    /// An undo failed where a range had been placed anew: until the devices' tables are repaired,
    /// nothing more is mapped.
    var needsRemap = false
    /// What has left the domain, until the lock is free: memory is zeroed and unmapped with its
    /// last reference, which takes time. Whoever throws after a flush drops what that returned, and
    /// the references here go later.
    private var departed: [Extent] = []
    /// What the observer has not been told yet.
    private var events: [DMAEvent] = []

    init(
        space: consuming IOVASpace, range: IOVARange, target: MappingTarget,
        options: DMADomainOptions
    ) {
        self.space = space
        regions = RegionTable(capacity: options.regionCapacity)
        targets = [target]
        self.options = options
        self.range = range
    }

    /// Keeps an event for the observer, if there is one.
    mutating func note(_ event: @autoclosure () -> DMAEvent) {
        if options.observer != nil { events.append(event()) }
    }

    /// Keeps extents until the lock is free.
    mutating func release(afterUnlock extents: [Extent]) { departed += extents }

    mutating func takeDeparted() -> [Extent] {
        guard !departed.isEmpty else { return [] }
        defer { departed = [] }
        return departed
    }

    mutating func takeEvents() -> [DMAEvent] {
        defer { events = [] }
        return events
    }

    func target(_ device: VDPADevice, _ addressSpace: UInt32) -> MappingTarget? {
        targets.first { $0.device === device && $0.addressSpace == addressSpace }
    }

    /// What the caller's memory must be for the devices that there are now.
    var memoryNeeds: MemoryNeeds {
        MemoryNeeds(
            pins: targets.contains { $0.device.pinsMemory },
            mapsByAddress: targets.contains { !$0.device.pinsMemory })
    }

    func extent(_ handle: IOVAHandle) -> Extent? {
        Int(handle.slot) < extentOfSlot.count ? extentOfSlot[Int(handle.slot)] : nil
    }

    func extent(of record: RegionRecord) -> Extent {
        guard let extent = extentOfSlot[Int(record.extentSlot)] else {
            preconditionFailure("a region without its extent")
        }
        return extent
    }

    mutating func setExtent(_ extent: Extent?, for handle: IOVAHandle) {
        while extentOfSlot.count <= Int(handle.slot) { extentOfSlot.append(nil) }
        extentOfSlot[Int(handle.slot)] = extent
    }

    /// All extents that some region lives in, or that are kept for reuse.
    func liveExtents() -> [Extent] {
        var seen = Set<ObjectIdentifier>()
        let waiting = Set(quarantine.map(ObjectIdentifier.init))
        return extentOfSlot.compactMap { $0 }.filter {
            !waiting.contains(ObjectIdentifier($0)) && seen.insert(ObjectIdentifier($0)).inserted
        }
    }

    func knownCarver(_ key: CarverKey) -> Carver? {
        for carver in carvers where carver.key == key { return carver }
        return nil
    }

    mutating func carver(for wanted: SettledOptions) throws(DMAError) -> Carver {
        if let code = wanted.code, let carver = carvers.first(where: { $0.code == code }) {
            return carver
        }
        let key = CarverKey(wanted.options)
        if let carver = knownCarver(key) { return carver }
        do throws(IOVASpaceError) {
            let carver = try Carver(key, regionCapacity: options.regionCapacity)
            carvers.append(carver)
            return carver
        } catch {
            throw DMAError(error)
        }
    }
}

/// What has happened, for statistics.
struct DomainCounters {
    var batches: UInt64 = 0
    var failedBatches: UInt64 = 0
    var flushes: UInt64 = 0
    /// Frees in a deinit that failed: their memory is in quarantine.
    var failedFrees: UInt64 = 0
    /// Extents in quarantine that a device has written to.
    var writesAfterFree: UInt64 = 0
    /// Extents that may be missing in a device's table after an undo that failed.
    var lostExtents: UInt64 = 0
    /// Spent on the memory of what has been mapped.
    var populationNanoseconds: UInt64 = 0
}
