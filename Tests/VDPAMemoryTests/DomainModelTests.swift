import Foundation
import IOVAAllocator
import TestSupport
import Testing
import VDPAMemory
import VDPASimulator

/// Random batches, some of which fail, against the simplest model: what is alive, and its bytes.
@Suite("Random batches against a model")
struct DomainModelTests {
    private struct Live {
        var id: RegionID!
        var first: UInt64
        var byteCount: UInt64
        var fill: UInt8
        /// The first page of the caller's memory that it has, nil for the library's.
        var page: Int?
    }

    /// `VDPA_SEED=N` replays one seed.
    static let seeds: [UInt64] =
        ProcessInfo.processInfo.environment["VDPA_SEED"].flatMap { UInt64($0) }.map { [$0] }
        ?? [1, 2, 3]

    @Test(arguments: DeviceKind.allCases, seeds)
    func `every live region has its bytes, whatever fails`(_ kind: DeviceKind, _ seed: UInt64)
        throws
    {
        var random = SeededGenerator(seed: seed)
        let unmapping: DMADomain.Options.Unmapping =
            seed.isMultiple(of: 2) ? .deferred(maximumBytes: 24 << 20) : .immediate
        let world = try DomainWorld(
            kind.configuration, .init(regionCapacity: 96, unmapping: unmapping))
        let memory = SharedMemory(pages: 128)
        var live: [Live] = []
        var failures = 0
        for step in 0..<400 {
            if random.chance(oneIn: 5) {
                let call = world.simulator.calls + 1 + random.below(6)
                world.simulator.failCall(call, errno: EFAULT)
            }
            do {
                live = try batch(world, memory, live, &random)
            } catch {
                failures += 1
                #expect(error.code != .undoIncomplete, "seed \(seed), step \(step): \(error)")
            }
            world.simulator.clearFaultPlan()
            if let wrong = mismatch(world, live) {
                Issue.record("seed \(seed), step \(step): \(wrong); replay with VDPA_SEED=\(seed)")
                return
            }
        }
        #expect(failures > 10 && failures < 350, "\(failures) of 400 batches failed")
        try world.free(live.map(\.id))
        try world.domain.trim()
        try expectConsistent(world, [])
        #expect(world.simulator.kernelEntries().isEmpty)
    }

    /// One random batch. Answers what lives after it.
    private func batch(
        _ world: DomainWorld, _ memory: SharedMemory, _ live: [Live],
        _ random: inout SeededGenerator
    ) throws(DMAError) -> [Live] {
        var after = live
        var new: [Live] = []
        try world.domain.batch { batch throws(DMAError) in
            for _ in 0..<(1 + random.below(6)) {
                let choice = random.below(10)
                let fill = UInt8(truncatingIfNeeded: random.next()) | 1
                var entry = Live(
                    id: nil, first: 0, byteCount: 0, fill: fill)
                if choice < 4, !after.isEmpty {
                    try batch.free(after.remove(at: random.below(after.count)).id)
                    continue
                } else if choice < 7 {
                    let size = random.chance(oneIn: 8) ? 2 << 20 : 4096 * (1 + random.below(40))
                    let access: DMAAccess = random.chance(oneIn: 4) ? .readOnly : .readWrite
                    entry.id = try batch.allocate(
                        byteCount: size,
                        options: .init(
                            access: access,
                            isolation: random.chance(oneIn: 6) ? .dedicated : .automatic))
                } else {
                    let page = random.below(124)
                    guard !(after + new).contains(where: { abs(($0.page ?? -9) - page) < 4 })
                    else { continue }
                    entry.page = page
                    let place = IOVA(1 << 40 + UInt64(page) * 4096)
                    entry.id = try unsafe batch.register(
                        memory.pages(page, count: 1 + random.below(4)),
                        at: random.chance(oneIn: 3) ? .anywhere : .fixed(place),
                        isolation: random.chance(oneIn: 2) ? .shared : .dedicated)
                }
                new.append(entry)
            }
        }
        for entry in new {
            var entry = entry
            let info = try world.domain.info(entry.id)
            entry.first = info.range.first.rawValue
            entry.byteCount = info.byteCount
            if entry.page == nil, !isZero(info) { entry.fill = 0 }
            // Safe: a live region's memory.
            unsafe UnsafeMutableRawBufferPointer(start: info.address, count: Int(info.byteCount))
                .initializeMemory(as: UInt8.self, repeating: entry.fill)
            after.append(entry)
        }
        return after
    }

    private func isZero(_ info: RegionInfo) -> Bool {
        let bytes = unsafe UnsafeRawBufferPointer(start: info.address, count: Int(info.byteCount))
        return unsafe bytes.allSatisfy { $0 == 0 }
    }

    private func mismatch(_ world: DomainWorld, _ live: [Live]) -> String? {
        let statistics = world.domain.statistics
        guard statistics.regions == live.count else { return "\(statistics.regions) regions" }
        let kernel = world.simulator.kernelEntries()
        guard world.simulator.deviceEntries() == kernel else { return "kernel and device differ" }
        let mapped = kernel.reduce(UInt64(0)) { $0 + ($1.range.byteCount ?? 0) }
        guard mapped == statistics.mappedBytes else { return "\(mapped) mapped" }
        guard (statistics.entriesAtLeast...statistics.entriesAtMost).contains(kernel.count) else {
            return "\(kernel.count) entries"
        }
        for entry in live {
            if entry.fill == 0 { return "a new region at \(entry.first) was not zero" }
            for offset in [0, entry.byteCount / 2 & ~4095, entry.byteCount - 16] {
                let bytes = world.simulator.read(IOVA(entry.first + offset), byteCount: 16)
                guard bytes == [UInt8](repeating: entry.fill, count: 16) else {
                    return "\(entry.first) + \(offset): \(bytes.map { "\($0)" } ?? "unmapped")"
                }
            }
        }
        return world.simulator.faults.first.map { "\($0)" }
    }
}
