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
        try swarm(seed: 0x1234_5678, steps: 400) { random throws in
            let places: [(UInt64, UInt64)] = [
                (0, 4096), (1 << 32, 4096), (0 &- (64 * 4096), 4096), (0, 1 << 58), (1, 1),
                (0, 1 << 30), (1 << 45, 2 << 20), (0 &- 64, 1),
            ]
            let (base, granule) = random.pick(places)
            let isTight = random.chance(oneIn: 3)
            var model = try SpaceModel(
                oracle: BitmapOracle(base: base, granule: granule, pageCount: 64),
                granule: granule, regionCapacity: isTight ? 6 : 40,
                reservationCapacity: isTight ? random.below(12) : 4096,
                magazine: limits(&random),
                mayRunOutOfEntries: isTight)
            try model.apply(.addUsable(IOVARange(model.oracle.span)))
            return model
        } fuzz: {
            PageFuzz(&$0)
        }
    }

    @Test("spaces of 2^64 bytes agree with the ordered lists after every step")
    func lists() throws {
        try swarm(seed: 0x9abc_def0, steps: 250) { random throws in
            let granule = random.pick([1, 4096, 4096, 65536, 2 << 20] as [UInt64])
            var model = try SpaceModel(
                oracle: RangeListOracle(), granule: granule, regionCapacity: 64,
                reservationCapacity: 1024, magazine: limits(&random))
            let whole = IOVARange.all
            if random.chance(oneIn: 2) {
                try model.apply(.addUsable(whole))
            } else {
                for _ in 0..<(1 + random.below(4)) {
                    try model.apply(.addUsable(WideFuzz.range(&random, granule)))
                }
            }
            return model
        } fuzz: {
            WideFuzz(&$0)
        }
    }

    /// From no magazine to one that keeps everything.
    func limits(_ random: inout SeededGenerator) -> IOVAMagazineLimits {
        random.chance(oneIn: 5)
            ? .off
            : IOVAMagazineLimits(
                ranges: 1 + random.below(64), rangesPerSize: 1 + random.below(12),
                byteCount: random.chance(oneIn: 3) ? 1 << UInt64(random.below(40)) : .max)
    }

    func swarm<Fuzz: Fuzzer>(
        seed usual: UInt64, steps: Int,
        _ make: (inout SeededGenerator) throws -> SpaceModel<Fuzz.Oracle>,
        fuzz: (inout SeededGenerator) -> Fuzz
    ) throws {
        let seed = TestKnobs.seed(usual)
        print("seed \(seed): replay with VDPA_SEED=\(seed)")
        var outcomes: [String: Int] = [:]
        for run in 0..<Self.runs {
            var random = SeededGenerator(seed: seed &+ UInt64(run))
            var step = 0
            do {
                var model = try make(&random)
                let weights = fuzz(&random)
                while step < steps {
                    try model.apply(weights.next(&random, model))
                    try model.check()
                    try model.checkLookups(
                        at: weights.address(&random, model), upTo: weights.address(&random, model))
                    try model.checkLargestHole(1 << UInt64(random.below(64)))
                    if step % 16 == 0 { try model.checkHandles() }
                    step += 1
                }
                outcomes.merge(model.outcomes, uniquingKeysWith: +)
            } catch {
                throw Mismatch("VDPA_SEED=\(seed), run \(run), step \(step): \(error)")
            }
        }
        // With the seed of its own a run must have met everything that it is meant to prove.
        for outcome in Fuzz.expectedOutcomes where seed == usual {
            #expect(outcomes[outcome, default: 0] > 0, "seed \(seed) never met: \(outcome)")
        }
    }
}

/// Draws operations with weights of its own.
protocol Fuzzer {
    associatedtype Oracle: SpaceOracle
    init(_ random: inout SeededGenerator)
    func next(_ random: inout SeededGenerator, _ model: borrowing SpaceModel<Oracle>)
        -> SpaceOperation
    func address(_ random: inout SeededGenerator, _ model: borrowing SpaceModel<Oracle>) -> UInt64
    static var expectedOutcomes: [String] { get }
}

extension Fuzzer {
    static var expectedOutcomes: [String] {
        [
            "any", "lowest", "highest", "noSpace", "fixed", "fixed overlap", "fixed unusable",
            "free",
            "free by address", "no region there", "stale handle", "quarantine", "release",
            "reserve", "reserve refused", "cancel", "no such reservation", "addUsable",
            "addUsable refused", "withdraw", "withdraw refused",
        ]
    }
}
