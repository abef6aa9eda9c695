import Glibc
import Testing
import VDPAMemory
import VDPASimulator

/// A domain on a simulated device, with what a test needs to look behind it.
final class DomainWorld {
    let simulator: SimulatedDevice
    let device: VDPADevice
    let domain: DMADomain
    let addressSpace: UInt32

    init(
        _ configuration: SimulatedDevice.Configuration = .vdpaSimNet(),
        _ options: DMADomain.Options = .init(), addressSpace: UInt32 = 0
    ) throws {
        self.addressSpace = addressSpace
        simulator = SimulatedDevice(configuration)
        device = try VDPADevice(simulator)
        domain = try DMADomain(device, addressSpace: addressSpace, options: options)
    }

    var messages: UInt64 { domain.statistics.messages }

    /// Allocates several alike in one batch.
    func allocate(
        _ count: Int, byteCount: Int, _ options: AllocationOptions = .init()
    ) throws(DMAError) -> [RegionID] {
        try domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            for _ in 0..<count {
                ids.append(try batch.allocate(byteCount: byteCount, options: options))
            }
            return ids
        }
    }

    func free(_ ids: [RegionID]) throws(DMAError) {
        try domain.batch { batch throws(DMAError) in
            for id in ids { try batch.free(id) }
        }
    }

    /// The error of an action that must be refused, with the messages that it sent.
    func refusal(
        sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws(DMAError) -> Void
    ) throws -> (error: DMAError, messages: UInt64) {
        let before = messages
        do throws(DMAError) {
            try body()
        } catch {
            return (error, messages - before)
        }
        Issue.record("it was not refused", sourceLocation: sourceLocation)
        throw DMAError.cancelled("the test")
    }
}

/// What must be as before when a batch has failed.
struct DomainSnapshot: Equatable, CustomStringConvertible {
    var tables: SimulatedDevice.MappingSnapshot
    var regions: Int
    var extents: Int
    var regionBytes: UInt64
    var mappedBytes: UInt64
    var quarantinedExtents: Int
    var quarantinedBytes: UInt64
    var entries: [Int]
    var lostExtents: UInt64
    var freeBytes: UInt64
    var largestHoleBytes: UInt64

    init(_ world: DomainWorld) {
        let now = world.domain.statistics
        tables = world.simulator.mappingSnapshot
        regions = now.regions
        extents = now.extents
        regionBytes = now.regionBytes
        mappedBytes = now.mappedBytes
        quarantinedExtents = now.quarantinedExtents
        quarantinedBytes = now.quarantinedBytes
        entries = [now.entriesAtLeast, now.entriesAtMost]
        lostExtents = now.lostExtents
        freeBytes = now.freeBytes
        largestHoleBytes = now.largestHoleBytes
    }

    var description: String {
        "regions \(regions), extents \(extents), mapped \(mappedBytes), quarantine "
            + "\(quarantinedExtents), lost \(lostExtents), entries \(entries), "
            + "free \(freeBytes), hole \(largestHoleBytes), kernel \(tables.kernel.map(\.count)), "
            + "device \(tables.device.map(\.count)), pinned \(tables.pinnedByteCount), "
            + "in batch \(tables.isInBatch)"
    }
}

/// The domain's figures and the simulator's agree, and the device reaches every live region with
/// the right bytes. Regions keep their content.
func expectConsistent(
    _ world: DomainWorld, _ ids: [RegionID], sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let simulator = world.simulator
    let statistics = world.domain.statistics
    let space = world.addressSpace
    let kernel = simulator.kernelEntries(addressSpace: space)
    let mapped = kernel.reduce(UInt64(0)) { $0 + ($1.range.byteCount ?? 0) }
    let pins = simulator.usesVirtualAddresses ? 0 : mapped
    var checks: [(Bool, String)] = [
        (statistics.regions == ids.count, "\(statistics.regions) regions, \(ids.count) known"),
        (statistics.mappedBytes == mapped, "\(statistics.mappedBytes) mapped, kernel \(mapped)"),
        (simulator.deviceEntries(addressSpace: space) == kernel, "kernel and device differ"),
        (
            simulator.pinnedByteCount == pins + simulator.externallyPinnedByteCount,
            "\(simulator.pinnedByteCount) pinned for \(mapped)"
        ),
        (!simulator.isInBatch, "a batch is open"),
        (
            (statistics.entriesAtLeast...statistics.entriesAtMost).contains(kernel.count),
            "\(kernel.count) entries, bounds \(statistics.entriesAtLeast) and "
                + "\(statistics.entriesAtMost)"
        ),
    ]
    var total: UInt64 = 0
    for (number, id) in ids.enumerated() {
        let info = try world.domain.info(id)
        total += info.byteCount
        checks.append((world.isReached(info, stamp: UInt64(number) ^ 0xa5a5), "\(info.range)"))
    }
    checks.append((statistics.regionBytes == total, "\(statistics.regionBytes), \(total)"))
    checks.append((simulator.faults.isEmpty, "\(simulator.faults)"))
    for check in checks where !check.0 {
        Issue.record("\(check.1)", sourceLocation: sourceLocation)
    }
}

extension DomainWorld {
    /// Whether the device sees, in the first and the last eight bytes of the region, what the
    /// process sees, and may do what the region says.
    fileprivate func isReached(_ info: RegionInfo, stamp: UInt64) -> Bool {
        [UInt64(0), info.byteCount - 8].allSatisfy { offset in
            // Safe: inside a live region, whose memory the domain or the test keeps.
            let place = unsafe info.address + Int(offset)
            let old = unsafe place.load(as: UInt64.self)
            defer { unsafe place.storeBytes(of: old, as: UInt64.self) }
            let iova = IOVA(info.range.first.rawValue + offset)
            let bytes = (0..<8).map { UInt8(truncatingIfNeeded: stamp >> (8 * UInt64($0))) }
            let space = addressSpace
            if info.access == .writeOnly {
                let written = simulator.write(bytes, at: iova, addressSpace: space)
                return unsafe place.load(as: UInt64.self) == stamp && written
            }
            unsafe place.storeBytes(of: stamp, as: UInt64.self)
            return simulator.read(iova, byteCount: 8, addressSpace: space) == bytes
        }
    }
}

/// The caller's memory: shared and file-backed, so that every kind of device takes it.
@safe final class SharedMemory {
    let bytes: UnsafeMutableRawBufferPointer

    init(pages: Int, isPrivate: Bool = false) {
        // Safe: a new mapping, unmapped in deinit.
        let base = unsafe mmap(
            nil, pages * 4096, PROT_READ | PROT_WRITE,
            (isPrivate ? MAP_PRIVATE : MAP_SHARED) | MAP_ANONYMOUS, -1, 0)
        precondition(unsafe base != MAP_FAILED, "mmap of \(pages) pages")
        unsafe bytes = UnsafeMutableRawBufferPointer(start: base, count: pages * 4096)
    }

    deinit { _ = unsafe munmap(bytes.baseAddress, bytes.count) }

    func pages(_ first: Int, count: Int = 1) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[first * 4096..<(first + count) * 4096])
    }
}

/// A device of each kind.
enum DeviceKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case setMap, dmaMap, platformIOMMU, virtualAddress

    var testDescription: String { rawValue }

    var configuration: SimulatedDevice.Configuration {
        switch self {
        case .setMap: .vdpaSimNet()
        case .dmaMap: .vdpaSimNet(batchMapping: false)
        case .platformIOMMU: .vpVDPA()
        case .virtualAddress: .vduse()
        }
    }
}
