import CDatapath
import TestSupport
import Testing

/// The heap against its oracle, invariants and statistics compared after every step.
///
/// `VDPA_SEED` replays from a seed, `VDPA_FUZZ_RUNS` makes the runs more.
@Suite struct HeapModelTests {
    static let runs = TestKnobs.count("VDPA_FUZZ_RUNS", 30)
    static let usualSeed: UInt64 = 0x4ea9_0001

    @Test func `random runs agree with the oracle, and refuse only what does not fit`() throws {
        let seed = TestKnobs.seed(Self.usualSeed)
        print("heap: seed \(seed): replay with VDPA_SEED=\(seed)")
        var outcomes: [String: Int] = [:]
        for number in 0..<Self.runs {
            let first = seed &+ UInt64(number)
            do {
                var run = try HeapFuzzRun(seed: first)
                try run.go(steps: 250)
                outcomes.merge(run.model.outcomes, uniquingKeysWith: +)
            } catch {
                throw HeapMismatch("replay with VDPA_SEED=\(first) VDPA_FUZZ_RUNS=1: \(error)")
            }
        }
        // With the seed of its own, the runs have met what they are meant to prove.
        let expected = [
            "small", "large", "aligned", "refusal", "aligned refusal", "never possible", "low",
            "extent removed", "extent added", "the block was given back already",
            "the block is of another heap, or of an extent that was trimmed",
            "the block was given back already, and its place is another block's now",
        ]
        for outcome in expected where seed == Self.usualSeed {
            #expect(outcomes[outcome, default: 0] > 0, "never met: \(outcome)")
        }
    }

    @Test(arguments: [(1, 7), (2, 5), (3, 4), (5, 3)])
    func `every sequence of steps on a small extent agrees with the oracle`(
        granules: Int, depth: Int
    ) throws {
        let model = try HeapModel(
            cdp_heap_options(
                granule_byte_count: 64, extent_byte_count: UInt64(granules) * 64,
                extent_capacity: 1, low_byte_count: 0, search_limit: .max))
        // An odd granule, so that alignments of 128 and 256 meet every lead.
        model.addExtent(0, address: 0x1_0040, iova: 0x8_0040, granules: granules)
        var path: [Int] = []
        var sequences = 0
        try Self.walk(model, granules, depth: depth, &path, &sequences)
        #expect(sequences > 30)
    }

    /// Each path is done from the empty heap on: what a step undoes, no other step need undo alike.
    private static func walk(
        _ model: HeapModel, _ granules: Int, depth: Int, _ path: inout [Int],
        _ sequences: inout Int
    ) throws {
        try model.drain()
        for choice in path { try step(model, granules, choice) }
        do {
            try model.check()
        } catch {
            throw HeapMismatch("\(path): \(error)")
        }
        sequences += 1
        guard path.count < depth else { return }
        // Each size, the sizes aligned to 128, one aligned to 256, then each live block given back.
        for choice in 0..<2 * granules + 1 + model.live.count {
            path.append(choice)
            try walk(model, granules, depth: depth, &path, &sequences)
            path.removeLast()
        }
    }

    private static func step(_ model: HeapModel, _ granules: Int, _ choice: Int) throws {
        switch choice {
        case ..<granules: try model.take(UInt64(choice + 1) * 64)
        case ..<(2 * granules): try model.take(UInt64(choice - granules + 1) * 64, alignment: 128)
        case 2 * granules: try model.take(64, alignment: 256)
        default: try model.give(choice - 2 * granules - 1)
        }
    }
}
