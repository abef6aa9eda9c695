import IOVAAllocator
import TestSupport

/// The weights of one swarm run, in the order of `draw`; some are zero.
struct SwarmWeights {
    private var weights: [Int]

    init(_ random: inout SeededGenerator) {
        // Allocation always has weight, or nothing else has anything to do.
        weights = [20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        for index in weights.indices.dropFirst() where !random.chance(oneIn: 4) {
            weights[index] = 1 + random.below(12)
        }
        if !random.chance(oneIn: 3) { weights[2] += 12 }
    }

    /// - Parameters size, range, address: draw what the operation needs.
    func draw<Oracle: SpaceOracle>(
        _ random: inout SeededGenerator, _ model: borrowing SpaceModel<Oracle>,
        allocation: (inout SeededGenerator) -> SpaceOperation,
        fixed: (inout SeededGenerator) -> SpaceOperation,
        range: (inout SeededGenerator) -> IOVARange
    ) -> SpaceOperation {
        let policy: ReservationPolicy = random.chance(oneIn: 2) ? .guarded : .placeable
        switch random.weighted(weights) {
        case 0: return allocation(&random)
        case 1: return fixed(&random)
        case 2: return .free(handle(&random, model.live, model.stale))
        case 3: return .freeAt(start(&random, model.live))
        case 4: return .quarantine(handle(&random, model.live, model.stale))
        case 5: return .release(handle(&random, model.quarantined, model.stale))
        case 6: return .reserve(range(&random), policy)
        case 7:
            guard !model.reservations.isEmpty, !random.chance(oneIn: 8) else {
                return .cancel(range(&random), policy)
            }
            let chosen = model.reservations[random.below(model.reservations.count)]
            return .cancel(chosen.range, chosen.policy)
        case 8: return .addUsable(gap(&random, model) ?? range(&random))
        case 9: return .withdrawUsable(range(&random))
        default: return .flush
        }
    }

    private func handle(
        _ random: inout SeededGenerator, _ among: [IOVAAllocation], _ stale: [IOVAHandle]
    ) -> IOVAHandle {
        if random.chance(oneIn: 10) || among.isEmpty {
            return stale.isEmpty ? IOVAHandle(slot: 0, generation: 77) : random.pick(stale)
        }
        return random.pick(among).handle
    }

    private func start(_ random: inout SeededGenerator, _ among: [IOVAAllocation]) -> IOVA {
        guard !among.isEmpty else { return IOVA(0) }
        let first = random.pick(among).range.first
        return random.chance(oneIn: 8) ? first.advanced(by: 1) ?? first : first
    }

    /// Part of what is not usable, so that additions succeed now and then.
    private func gap<Oracle: SpaceOracle>(
        _ random: inout SeededGenerator, _ model: borrowing SpaceModel<Oracle>
    ) -> IOVARange? {
        let gaps = model.oracle.entries().filter { $0.kind == .unusable }
        guard !gaps.isEmpty, !random.chance(oneIn: 4) else { return nil }
        let gap = random.pick(gaps)
        let half = (gap.last - gap.first) / 2 / model.granule * model.granule
        if half > 0, random.chance(oneIn: 2) {
            return IOVARange(first: gap.first, last: gap.first + (half - 1))
        }
        return IOVARange(first: gap.first, last: gap.last)
    }
}

/// Operations on the 64 pages of a bitmap.
struct PageFuzz: Fuzzer {
    private let weights: SwarmWeights
    private let most: Int

    init(_ random: inout SeededGenerator) {
        weights = SwarmWeights(&random)
        most = random.pick([2, 4, 8, 32])
    }

    func next(
        _ random: inout SeededGenerator, _ model: borrowing SpaceModel<BitmapOracle>
    ) -> SpaceOperation {
        let oracle = model.oracle
        let granule = model.granule
        let largest = most
        func size(_ random: inout SeededGenerator) -> UInt64 {
            // Not always whole pages: the space rounds up.
            UInt64(1 + random.below(largest)) * granule - UInt64(random.below(2)) * (granule / 2)
        }
        func gaps(_ random: inout SeededGenerator) -> IOVAGuardGaps {
            // Up to two pages on each side, not always whole ones.
            Self.gaps(&random) { Self.pageGap(&$0, granule) }
        }
        func range(_ random: inout SeededGenerator) -> IOVARange {
            let first = random.below(64)
            return IOVARange(oracle.bytes(first...min(63, first + random.below(largest * 2))))
        }
        return weights.draw(&random, model) { random in
            let order = Self.order(&random)
            // Up to 2^63, which only address 0 or the middle of everything meets.
            let shift = random.chance(oneIn: 8) ? random.below(64) : random.below(6)
            let alignment =
                shift >= 6 ? 1 << UInt64(shift) : min(granule << UInt64(shift), 1 << 63)
            let congruent =
                random.chance(oneIn: 4) ? oracle.address(random.below(64)) : 0
            let crooked = granule > 1 && random.chance(oneIn: 40) ? granule / 2 : 0
            let placement: IOVAPlacement =
                random.chance(oneIn: 3) ? .within(range(&random), order) : .anywhere(order)
            return .allocate(
                byteCount: size(&random), alignment: max(alignment, 1), placement,
                congruentTo: congruent + crooked, gaps: gaps(&random))
        } fixed: { random in
            .allocate(
                byteCount: size(&random),
                .fixed(
                    IOVA(oracle.address(random.below(64))),
                    overReservations: random.chance(oneIn: 2)), gaps: gaps(&random))
        } range: { random in
            range(&random)
        }
    }

    private static func pageGap(_ random: inout SeededGenerator, _ granule: UInt64) -> UInt64 {
        let whole = granule * UInt64(random.below(3))
        return whole > 0 && random.chance(oneIn: 2) ? whole - granule / 2 : whole
    }

    func address(
        _ random: inout SeededGenerator, _ model: borrowing SpaceModel<BitmapOracle>
    ) -> UInt64 {
        model.oracle.address(random.below(64)) + random.next() % model.granule
    }
}

/// Operations on all of [0, 2^64-1], with sizes and addresses of every magnitude.
struct WideFuzz: Fuzzer {
    private let weights: SwarmWeights
    private let largestShift: Int

    init(_ random: inout SeededGenerator) {
        weights = SwarmWeights(&random)
        largestShift = random.pick([16, 24, 34, 63])
    }

    /// A number of a random magnitude, often at or next to a power of two.
    static func magnitude(_ random: inout SeededGenerator, upTo shift: Int) -> UInt64 {
        let power = 1 << UInt64(random.below(shift + 1)) as UInt64
        switch random.below(4) {
        case 0: return power
        case 1: return power - 1
        case 2: return power + 1
        default: return random.next() & (power - 1)
        }
    }

    static func range(_ random: inout SeededGenerator, _ granule: UInt64) -> IOVARange {
        let mask = granule - 1
        let corners: [UInt64] = [0, .max, 1 << 32, 1 << 63, 1 << 20]
        let near = random.pick(corners)
        let spread = magnitude(&random, upTo: 40)
        let start = near == .max ? near - spread : near &+ (random.chance(oneIn: 2) ? 0 : spread)
        let length = magnitude(&random, upTo: random.pick([14, 22, 34, 62]))
        let (end, overflow) = start.addingReportingOverflow(length)
        return IOVARange(first: start & ~mask, last: (overflow ? .max : end) | mask)
    }

    func next(
        _ random: inout SeededGenerator, _ model: borrowing SpaceModel<RangeListOracle>
    ) -> SpaceOperation {
        let granule = model.granule
        let shift = largestShift
        func size(_ random: inout SeededGenerator) -> UInt64 {
            min(max(Self.magnitude(&random, upTo: shift), 1), 0 &- granule)
        }
        func gaps(_ random: inout SeededGenerator) -> IOVAGuardGaps {
            Self.gaps(&random) {
                min(Self.magnitude(&$0, upTo: shift), 0 &- granule)
            }
        }
        func congruence(_ random: inout SeededGenerator) -> UInt64 {
            if !random.chance(oneIn: 4) { return 0 }
            return random.next() & ~(random.chance(oneIn: 8) ? 0 : granule - 1)
        }
        return weights.draw(&random, model) { random in
            let order = Self.order(&random)
            let placement: IOVAPlacement =
                random.chance(oneIn: 3)
                ? .within(Self.range(&random, granule), order) : .anywhere(order)
            return .allocate(
                byteCount: size(&random),
                alignment: 1 << UInt64(random.below(random.chance(oneIn: 3) ? 64 : 31)), placement,
                congruentTo: congruence(&random), gaps: gaps(&random))
        } fixed: { random in
            .allocate(
                byteCount: size(&random),
                .fixed(
                    Self.range(&random, granule).first,
                    overReservations: random.chance(oneIn: 2)), gaps: gaps(&random))
        } range: { random in
            Self.range(&random, granule)
        }
    }

    func address(
        _ random: inout SeededGenerator, _ model: borrowing SpaceModel<RangeListOracle>
    ) -> UInt64 {
        let entries = model.oracle.entries()
        if entries.isEmpty || random.chance(oneIn: 4) { return random.next() }
        let entry = random.pick(entries)
        return random.pick([entry.first, entry.last, entry.first &- 1, entry.last &+ 1])
    }
}
