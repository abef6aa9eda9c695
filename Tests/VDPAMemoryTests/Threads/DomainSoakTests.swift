import TestSupport
import Testing
import VDPAMemory
import VDPASimulator

/// Random changes on several threads while the device runs. `VDPA_SEED=N` replays each thread's
/// choices, though not how they interleave; `VDPA_SOAK_STEPS` makes it longer.
@Suite("Threads change a domain while the device runs", .serialized)
struct DomainSoakTests {
    static let steps = TestKnobs.count("VDPA_SOAK_STEPS", 160)
    /// An even seed defers unmapping, an odd one does not.
    static let seeds = [TestKnobs.seed(0x50a4), TestKnobs.seed(0x50a4) ^ 1]

    @Test(arguments: DeviceKind.allCases, seeds)
    func `the device reaches what lives, and nothing else`(
        _ kind: DeviceKind, _ seed: UInt64
    ) throws {
        let kinds = DeviceKind.allCases
        let other = kinds[(kinds.firstIndex(of: kind)! + 1) % kinds.count]
        let soak = try DomainSoak(kind, second: other, seed: seed)
        let crew = ThreadCrew(count: 6)
        defer { crew.end() }
        crew.runAll { thread in
            switch thread {
            case 0..<DomainSoak.driverCount:
                soak.playDriver(steps: DomainSoakTests.steps, thread: thread)
            case 3, 4: soak.playDevice(steps: DomainSoakTests.steps * 2, thread: thread)
            default: soak.playOperator(steps: max(8, DomainSoakTests.steps / 8))
            }
        }
        try soak.finish()
        print("soak \(kind) with \(other), seed \(seed): \(soak.record.summary)")
        #expect(
            soak.record.problems.isEmpty,
            "seed \(seed): \(soak.record.problems); replay with VDPA_SEED=\(seed)")
        for what in [
            "allocations", "frees", "batches", "registrations", "reads", "writes", "stray, first",
            "attaches", "detaches", "resets", "remaps", "flushes",
        ] {
            #expect(soak.record.counted(what) > 0, "no \(what): seed \(seed)")
        }
    }
}
