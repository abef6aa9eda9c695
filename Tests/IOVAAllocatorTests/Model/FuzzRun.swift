import IOVAAllocator
import TestSupport

/// Draws the operations of a run.
protocol Fuzzer {
    associatedtype Oracle: SpaceOracle
    init(_ random: inout SeededGenerator)
    /// A space of some size and its oracle.
    static func makeModel(_ random: inout SeededGenerator) throws -> SpaceModel<Oracle>
    func next(_ random: inout SeededGenerator, _ model: borrowing SpaceModel<Oracle>)
        -> SpaceOperation
    func address(_ random: inout SeededGenerator, _ model: borrowing SpaceModel<Oracle>) -> UInt64
    static var expectedOutcomes: [String] { get }
}

extension Fuzzer {
    static func order(_ random: inout SeededGenerator) -> IOVASearchOrder {
        random.pick([.any, .any, .any, .lowest, .highest, .bestFit])
    }

    /// One time in three a gap before, behind, or both.
    static func gaps(
        _ random: inout SeededGenerator, byteCount: (inout SeededGenerator) -> UInt64
    ) -> IOVAGuardGaps {
        guard random.chance(oneIn: 3) else { return IOVAGuardGaps() }
        return IOVAGuardGaps(
            before: random.chance(oneIn: 2) ? byteCount(&random) : 0,
            behind: random.chance(oneIn: 4) ? 0 : byteCount(&random))
    }

    static var expectedOutcomes: [String] {
        [
            "any", "lowest", "highest", "bestFit", "noSpace", "no best fit", "lowest with gaps",
            "highest with gaps", "bestFit with gaps", "bad congruence", "fixed", "fixed with gaps",
            "fixed overlap", "fixed unusable", "free",
            "free by address", "no region there", "stale handle", "quarantine", "release",
            "reserve", "reserve refused", "cancel", "no such reservation", "addUsable",
            "addUsable refused", "withdraw", "withdraw refused", "growth", "growth refused",
        ]
    }
}

/// A space and its oracle through a number of steps, with every comparison after each.
struct FuzzRun {
    private(set) var stepCount = 0
    private(set) var outcomes: [String: Int] = [:]

    /// Goes on for so many steps, or until there are no more choices.
    ///
    /// - Parameter crowd: 0 to 2: how full the space is at the start. What splits and joins the
    ///   leaves of the tree takes dozens of entries, which a short input does not come to.
    mutating func go<Fuzz: Fuzzer>(
        _: Fuzz.Type, _ random: inout SeededGenerator, crowd: Int, steps: Int,
        _ make: (inout SeededGenerator) throws -> SpaceModel<Fuzz.Oracle> = Fuzz.makeModel
    ) throws {
        var model = try make(&random)
        for number in 0..<UInt64([0, 31, 58][crowd]) {
            let address = model.oracle.span.lowerBound &+ 2 &* number &* model.granule
            try model.apply(.allocate(byteCount: model.granule, .fixed(IOVA(address))))
        }
        let fuzzer = Fuzz(&random)
        // Where to look takes no choices from the operations.
        var probes = SeededGenerator(seed: UInt64(random.below(256)))
        while stepCount < steps, !random.isExhausted {
            let operation = fuzzer.next(&random, model)
            do {
                try model.apply(operation)
                try model.check()
                try model.checkLookups(
                    at: fuzzer.address(&probes, model), upTo: fuzzer.address(&probes, model))
                try model.checkLargestHole(1 << UInt64(probes.below(64)))
                if stepCount % 16 == 0 { try model.checkHandles() }
                if probes.chance(oneIn: 48) { try Self.grow(&model, &probes) }
            } catch {
                throw Mismatch("step \(stepCount), \(operation): \(error)")
            }
            stepCount += 1
        }
        outcomes = model.outcomes
    }

    /// By a few, so that spaces are still full now and then; at times by less than nothing. Drawn
    /// from what no operation is drawn from: what an input's bytes mean stays.
    private static func grow<Oracle: SpaceOracle>(
        _ model: inout SpaceModel<Oracle>, _ probes: inout SeededGenerator
    ) throws {
        let regions = max(model.regionCapacity - 1 + probes.below(4), 1)
        let pieces = probes.chance(oneIn: 2) ? model.space.reservationCapacity + 1 : nil
        do {
            try model.apply(.grow(regionCapacity: regions, reservationCapacity: pieces))
            try model.check()
            try model.checkHandles()
        } catch { throw Mismatch("growing to \(regions): \(error)") }
    }
}

/// A run that bytes spell: the first chooses the fuzzer, all others are its choices.
///
/// libFuzzer changes the bytes; `FuzzCorpusTests` replays those that it found worth keeping.
enum FuzzProgram {
    /// More than the bytes of an input spell.
    private static var mostSteps: Int { 4096 }

    static func run(_ bytes: [UInt8]) throws -> FuzzRun {
        var random = SeededGenerator(choices: bytes)
        var run = FuzzRun()
        let choice = random.below(12)
        let crowd = choice / 4
        switch choice % 4 {
        case 0, 1: try run.go(PageFuzz.self, &random, crowd: crowd, steps: mostSteps)
        case 2: try run.go(WideFuzz.self, &random, crowd: crowd, steps: mostSteps)
        default: try run.go(HostileFuzz.self, &random, crowd: crowd, steps: mostSteps)
        }
        return run
    }
}
