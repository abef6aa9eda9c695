import Glibc
import HostMemory
import Synchronization
import TestSupport
import Testing
import VDPASimulator
import VhostVDPA

@testable import VDPAMemory

/// Random batches with random refusals: whatever happens, the ledger, the spaces and the device
/// agree, and every live region is reached at its own address.
@Suite("The ledger, the space and the device agree after any refusal")
struct DomainAgreementFuzzTests {
    @Test(arguments: [UInt64](1...12))
    func agree(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let kinds: [SimulatedDevice.Configuration] = [
            .vdpaSimNet(), .vdpaSimNet(batchMapping: false), .vpVDPA(), .vpVDPA(kernel: .v5_19),
        ]
        var configuration = kinds[Int(seed % 4)]
        configuration.contiguity = .contiguous
        configuration.entryLimit = 12
        let simulator = SimulatedDevice(configuration)
        let unmapping: DMADomain.Options.Unmapping =
            seed % 3 == 0 ? .immediate : .deferred(maximumBytes: 64 << 10)
        let domain = try DMADomain(
            try VDPADevice(simulator),
            options: .init(regionCapacity: 600, unmapping: unmapping))
        let arena = try HostMemory.allocate(byteCount: 1 << 20, pages: .exactly(.size4KiB))
        let arenaAddress = unsafe UInt(bitPattern: arena.baseAddress)
        var live: [RegionID] = []
        for step in 0..<150 {
            if random.below(3) == 0 { injectFaults(into: simulator, &random) }
            do throws(DMAError) {
                var freed: [RegionID] = []
                let added = try domain.batch { batch throws(DMAError) in
                    var added: [RegionID] = []
                    for _ in 0..<(1 + random.below(6)) {
                        switch random.below(6) {
                        case 0...2:
                            added.append(try allocate(in: &batch, &random))
                        case 3:
                            added += try register(arenaAddress, in: &batch, &random)
                        default:
                            let left = live.filter { !freed.contains($0) }
                            guard !left.isEmpty else { continue }
                            let id = left[random.below(left.count)]
                            freed.append(id)
                            try batch.free(id)
                        }
                    }
                    return added
                }
                live.removeAll { freed.contains($0) }
                live += added
            } catch {
                let codes: [DMAError.Code] = [
                    .kernelRefused, .undoIncomplete, .overlap, .entryLimit, .invalidArgument,
                    .regionCapacity,
                ]
                #expect(codes.contains(error.code), "seed \(seed) step \(step): \(error)")
            }
            simulator.clearFaultPlan()
            if domain.statistics.lostExtents > 0 || simulator.isInBatch { try domain.remap() }
            if random.below(20) == 0 { try domain.flush() }
            if random.below(20) == 0 { try domain.trim() }
            let problem = try check(domain, simulator, live, UInt8(truncatingIfNeeded: step))
            #expect(problem == nil, "seed \(seed) step \(step)")
            if problem != nil { return }
        }
        for id in live { try domain.free(id) }
        try domain.trim()
        #expect(simulator.kernelEntries().isEmpty)
        #expect(domain.statistics.mappedBytes == 0 && domain.statistics.regions == 0)
        #expect(simulator.pinnedByteCount == 0)
        withExtendedLifetime(arena) {}
    }

    private func injectFaults(into simulator: SimulatedDevice, _ random: inout SeededGenerator) {
        let points: [FaultPoint] = [.write, .write, .update, .pin, .parentMap]
        let point = points[random.below(points.count)]
        for _ in 0..<(1 + random.below(3)) {
            simulator.fail(
                point, number: simulator.count(of: point) + 1 + random.below(8), errno: 14)
        }
    }

    /// A region of the library's memory, shared or with a mapping of its own.
    private func allocate(
        in batch: inout DMABatch, _ random: inout SeededGenerator
    ) throws(DMAError) -> RegionID {
        let isShared = random.below(3) < 2
        let pages = isShared ? 1 + random.below(40) : 1 + random.below(4)
        return try batch.allocate(
            byteCount: 4096 * (isShared && random.below(4) == 0 ? 300 : pages),
            options: .init(
                pages: .exactly(.size4KiB), isolation: isShared ? .shared : .dedicated))
    }

    /// A few neighbouring pages of the arena, at neighbouring addresses.
    private func register(
        _ arena: UInt, in batch: inout DMABatch, _ random: inout SeededGenerator
    ) throws(DMAError) -> [RegionID] {
        let slot = random.below(200)
        let first = 0x4000_0000 + UInt64(slot) * 4096
        var added: [RegionID] = []
        for index in 0..<(1 + random.below(4)) {
            let bytes = unsafe UnsafeMutableRawBufferPointer(
                start: UnsafeMutableRawPointer(bitPattern: arena + UInt(slot + index) * 4096),
                count: 4096)
            added.append(
                unsafe try batch.register(
                    bytes, at: .fixed(IOVA(first + UInt64(index) * 4096)), isolation: .shared))
        }
        return added
    }

    private func check(
        _ domain: DMADomain, _ simulator: SimulatedDevice, _ live: [RegionID], _ mark: UInt8
    ) throws -> String? {
        let statistics = domain.statistics
        if statistics.regions != live.count {
            return "\(statistics.regions) regions, not \(live.count)"
        }
        for (index, id) in live.enumerated() {
            let info = try domain.info(id)
            let byte = mark &+ UInt8(truncatingIfNeeded: index)
            let last = IOVA(info.range.last.rawValue)
            guard simulator.write([byte], at: info.range.first), simulator.write([byte], at: last)
            else { return "\(info.range) is not mapped" }
            let address = unsafe info.address
            let first = unsafe address.load(as: UInt8.self)
            let end = unsafe address.load(fromByteOffset: Int(info.byteCount) - 1, as: UInt8.self)
            guard first == byte, end == byte else { return "\(info.range) is elsewhere" }
        }
        let mapped = simulator.kernelEntries().reduce(UInt64(0)) { $0 + ($1.range.byteCount ?? 0) }
        if mapped > statistics.mappedBytes { return "mapped \(mapped) > \(statistics.mappedBytes)" }
        return domain.core.state.withLock { $0.inconsistency() }
    }
}

extension DomainState {
    fileprivate func inconsistency() -> String? {
        if let problem = space.invariantViolation() { return problem }
        for carver in carvers {
            if let problem = carver.space.invariantViolation() { return "carver: \(problem)" }
            let own = liveExtents().filter { $0.carver === carver }
            if own.count != carver.extentCount { return "extentCount" }
            if own.reduce(0, { $0 + $1.byteCount }) != carver.extentBytes { return "extentBytes" }
            if own.reduce(0, { $0 + $1.carvedBytes }) != carver.space.usedByteCount {
                return "carved"
            }
        }
        var regionsOf: [ObjectIdentifier: Int] = [:]
        // Not a sequence: the table walks itself.
        // swift-format-ignore: ReplaceForEachWithForLoop
        regions.visit { _, record in
            regionsOf[ObjectIdentifier(extent(of: record)), default: 0] += 1
        }
        for extent in liveExtents() {
            if extent.pendingFrees != 0 { return "pendingFrees" }
            if extent.liveRegions != regionsOf[ObjectIdentifier(extent), default: 0] {
                return "liveRegions \(extent.liveRegions)"
            }
        }
        let all = liveExtents() + quarantine
        let bytes = all.reduce(UInt64(0)) { $0 + $1.byteCount }
        if targets[0].device.pinsMemory, bytes != targets[0].pinnedBytes { return "pinnedBytes" }
        let lower = all.reduce(0) { $0 + targets[0].entries(of: $1).lower }
        if lower != targets[0].entries.lower { return "entries" }
        if quarantine.reduce(0, { $0 + $1.byteCount }) != quarantinedBytes { return "quarantined" }
        return nil
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
