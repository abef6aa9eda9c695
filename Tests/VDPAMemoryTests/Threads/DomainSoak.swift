import IOVAAllocator
import TestSupport
import VDPAMemory
import VDPASimulator

/// A domain on a simulated device that threads change while others play the device; a second device
/// comes and goes.
final class DomainSoak: Sendable {
    let device: SimulatedDevice
    let second: SimulatedDevice
    let opened: VDPADevice
    let openedSecond: VDPADevice
    let domain: DMADomain
    let board = SoakBoard(capacity: 48)
    let record = SoakRecord()
    let gate = DeviceGate()
    /// Whether the second device has the layout; changed with the gate closed.
    let isAttached = Guarded(false)
    /// Of the driver's threads, those that have not ended.
    let driversLeft = Guarded(DomainSoak.driverCount)
    let seed: UInt64

    static let driverCount = 3

    /// Addresses in which nothing is ever mapped: the device has no business there.
    static let forbidden = IOVARange(first: 1 << 41, last: 1 << 42 - 1)
    /// Where threads put the caller's memory, each in a part of its own.
    static let zoneByteCount: UInt64 = 1 << 30
    static func zone(_ thread: Int) -> UInt64 { 1 << 40 + UInt64(thread) * zoneByteCount }

    init(_ kind: DeviceKind, second other: DeviceKind, seed: UInt64) throws {
        self.seed = seed
        device = SimulatedDevice(kind.configuration)
        second = SimulatedDevice(other.configuration)
        opened = try VDPADevice(device)
        openedSecond = try VDPADevice(second)
        let isDeferred = seed.isMultiple(of: 2)
        var options = DMADomain.Options(
            regionCapacity: 4096,
            unmapping: isDeferred
                ? .deferred(maximumBytes: 16 << 20, maximumExtents: 24) : .immediate,
            reserved: [IOVARange(first: 1 << 40, last: 1 << 42 - 1)])
        options.detectsWritesAfterFree = isDeferred
        domain = try DMADomain(opened, options: options)
    }

    /// A new region of the library's memory, filled, on the board.
    func adopt(_ id: RegionID, _ random: inout SeededGenerator, isNew: Bool) throws(DMAError) {
        let region = SoakRegion(try domain.info(id), id: id, stamp: random.next())
        if isNew, !region.isZero() {
            record.problem("a new region at \(region.first) does not read as zeros")
        }
        region.fill()
        board.put(region)
    }

    /// A region leaves the board for good: its content is what it was given.
    func inspect(_ region: SoakRegion) {
        if let offset = region.firstWrongOffset() {
            record.problem(
                "region \(region.first), \(region.byteCount) bytes: a write landed at \(offset)")
        }
    }

    /// After all threads have ended: frees everything and compares what is left.
    func finish() throws(DMAError) {
        while let region = board.take(0) {
            inspect(region)
            try domain.free(region.id)
        }
        try domain.trim()
        let left = domain.statistics
        if left.regions != 0 || left.mappedBytes != 0 || left.quarantinedExtents != 0 {
            record.problem("left: \(left.regions) regions, \(left.mappedBytes) bytes mapped")
        }
        if left.lostExtents != 0 || left.failedFrees != 0 || left.writesAfterFree != 0 {
            record.problem(
                "lost \(left.lostExtents), failed frees \(left.failedFrees), writes after free "
                    + "\(left.writesAfterFree)")
        }
        for simulator in [device, second] {
            if !simulator.kernelEntries().isEmpty || simulator.pinnedByteCount != 0 {
                record.problem("a table is not empty: \(simulator.kernelEntries().count) entries")
            }
            checkFaults(of: simulator)
        }
    }

    /// What the device was made to do wrong is recorded, and nothing else is.
    private func checkFaults(of simulator: SimulatedDevice) {
        let name = simulator === device ? "first" : "second"
        var seen: [DMAFault.Reason: Int] = [:]
        for fault in simulator.faults {
            seen[fault.reason, default: 0] += 1
            let isMeant =
                fault.reason == .notPermitted
                || fault.reason == .unmapped && fault.iova.rawValue >= 1 << 40
            if !isMeant { record.problem("\(name) device: \(fault)") }
        }
        for (reason, what) in [
            (DMAFault.Reason.unmapped, "stray"), (.notPermitted, "not permitted"),
        ] where seen[reason, default: 0] != record.counted("\(what), \(name)") {
            record.problem(
                "\(name) device: \(seen[reason, default: 0]) faults, "
                    + "\(record.counted("\(what), \(name)")) accesses that were \(what)")
        }
    }
}
