import IOVAAllocator
import TestSupport
import Testing

/// Long random runs against an oracle, with other weights in each run (swarm testing): what is
/// never drawn in one run leaves room for the rest to go far.
///
/// `VDPA_SEED` replays from a seed, `VDPA_FUZZ_RUNS` makes the runs more.
@Suite struct ModelFuzzTests {
    static let runs = TestKnobs.count("VDPA_FUZZ_RUNS", 12)

    @Test("small spaces agree with the bitmap after every step")
    func bitmap() throws {
        try swarm(seed: 0x1234_5678, steps: 400, PageFuzz.self)
    }

    @Test("spaces of 2^64 bytes agree with the ordered lists after every step")
    func lists() throws { try swarm(seed: 0x9abc_def0, steps: 250, WideFuzz.self) }

    @Test("any 64-bit numbers at all are answered as the ordered lists and the rules say")
    func anyNumbers() throws { try swarm(seed: 0x5555_aaaa, steps: 250, HostileFuzz.self) }

    func swarm<Fuzz: Fuzzer>(
        seed usual: UInt64, steps: Int, _: Fuzz.Type,
        _ make: (inout SeededGenerator) throws -> SpaceModel<Fuzz.Oracle> = Fuzz.makeModel
    ) throws {
        let seed = TestKnobs.seed(usual)
        print("\(Fuzz.self): seed \(seed): replay with VDPA_SEED=\(seed)")
        var outcomes: [String: Int] = [:]
        var stepCount = 0
        for number in 0..<Self.runs {
            let first = seed &+ UInt64(number)
            var random = SeededGenerator(seed: first)
            var run = FuzzRun()
            do {
                try run.go(Fuzz.self, &random, crowd: Int(first % 3), steps: steps, make)
                outcomes.merge(run.outcomes, uniquingKeysWith: +)
                stepCount += run.stepCount
            } catch {
                throw Mismatch("replay with VDPA_SEED=\(first) VDPA_FUZZ_RUNS=1: \(error)")
            }
        }
        print("\(Fuzz.self): \(stepCount) steps in \(Self.runs) runs, seed \(seed)")
        // With the seed of its own a run must have met everything that it is meant to prove.
        for outcome in Fuzz.expectedOutcomes where seed == usual {
            #expect(outcomes[outcome, default: 0] > 0, "seed \(seed) never met: \(outcome)")
        }
    }
}
