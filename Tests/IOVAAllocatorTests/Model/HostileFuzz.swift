import IOVAAllocator
import TestSupport

/// Operations with any numbers of 64 bits, whether they make sense or not: sizes of 0 and of
/// almost 2^64, alignments that are none, ranges that cut granules, ends and edges.
struct HostileFuzz: Fuzzer {
    static let expectedOutcomes =
        WideFuzz.expectedOutcomes + ["badSize", "badAlignment", "misaligned", "fixed wraps"]

    private let weights: SwarmWeights

    init(_ random: inout SeededGenerator) { weights = SwarmWeights(&random) }

    func next(
        _ random: inout SeededGenerator, _ model: borrowing SpaceModel<RangeListOracle>
    ) -> SpaceOperation {
        let granule = model.granule
        let edges = model.oracle.entries().flatMap { [$0.first, $0.last] }
        func number(_ random: inout SeededGenerator) -> UInt64 { Self.number(&random, edges) }
        func size(_ random: inout SeededGenerator) -> UInt64 {
            // Some that fit, or the space stays empty.
            random.chance(oneIn: 2)
                ? number(&random) : UInt64(1 + random.below(8)) &* granule &- number(&random) % 2
        }
        func alignment(_ random: inout SeededGenerator) -> UInt64 {
            random.chance(oneIn: 8) ? number(&random) : 1 << UInt64(random.below(64))
        }
        func gaps(_ random: inout SeededGenerator) -> IOVAGuardGaps {
            Self.gaps(&random) { random in
                random.chance(oneIn: 2)
                    ? UInt64(1 + random.below(4)) : min(number(&random), 0 &- granule)
            }
        }
        func range(_ random: inout SeededGenerator) -> IOVARange {
            let (one, other) = (number(&random), number(&random))
            let (first, last) = (min(one, other), max(one, other))
            return random.chance(oneIn: 6)
                ? IOVARange(first: first, last: last)
                : IOVARange(first: first & ~(granule - 1), last: last | (granule - 1))
        }
        return weights.draw(&random, model) { random in
            let order = Self.order(&random)
            return .allocate(
                byteCount: size(&random), alignment: alignment(&random),
                random.chance(oneIn: 3) ? .within(range(&random), order) : .anywhere(order),
                congruentTo: random.chance(oneIn: 3) ? number(&random) : 0, gaps: gaps(&random))
        } fixed: { random in
            let first = number(&random) & ~(random.chance(oneIn: 6) ? 0 : granule - 1)
            return .allocate(
                byteCount: size(&random), alignment: alignment(&random),
                .fixed(IOVA(first), overReservations: random.chance(oneIn: 2)),
                gaps: first % granule == 0 ? gaps(&random) : IOVAGuardGaps())
        } range: { random in
            range(&random)
        }
    }

    func address(
        _ random: inout SeededGenerator, _ model: borrowing SpaceModel<RangeListOracle>
    ) -> UInt64 {
        Self.number(&random, model.oracle.entries().flatMap { [$0.first, $0.last] })
    }

    /// A number at or next to an end, a power of two or an edge of what is there, or any at all.
    private static func number(_ random: inout SeededGenerator, _ edges: [UInt64]) -> UInt64 {
        let near: UInt64
        switch random.below(5) {
        case 0: return random.next()
        case 1: near = 0
        case 2: near = 1 << UInt64(random.below(64))
        case 3: near = 0 &- (1 << UInt64(random.below(64)))
        default: near = edges.isEmpty ? 0 : random.pick(edges)
        }
        // From two below to one above.
        return near &+ UInt64(random.below(4)) &- 2
    }
}
