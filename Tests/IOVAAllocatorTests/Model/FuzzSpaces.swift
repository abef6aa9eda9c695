import IOVAAllocator
import TestSupport

// The spaces that runs begin with.

extension PageFuzz {
    static func makeModel(
        _ random: inout SeededGenerator
    ) throws -> SpaceModel<BitmapOracle> {
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
            magazine: .drawn(&random), mayRunOutOfEntries: isTight)
        try model.apply(.addUsable(IOVARange(model.oracle.span)))
        return model
    }
}

extension WideFuzz {
    static func makeModel(
        _ random: inout SeededGenerator
    ) throws -> SpaceModel<RangeListOracle> {
        let granule = random.pick([1, 4096, 4096, 65536, 2 << 20] as [UInt64])
        var model = try SpaceModel(
            oracle: RangeListOracle(), granule: granule, regionCapacity: 64,
            reservationCapacity: 1024, magazine: .drawn(&random))
        if random.chance(oneIn: 2) {
            try model.apply(.addUsable(.all))
        } else {
            for _ in 0..<(1 + random.below(4)) {
                try model.apply(.addUsable(range(&random, granule)))
            }
        }
        return model
    }
}

extension HostileFuzz {
    static func makeModel(
        _ random: inout SeededGenerator
    ) throws -> SpaceModel<RangeListOracle> {
        let shift = random.pick([0, 0, 12, 12, 21, 30, 40, 62, 63])
        let isTight = random.chance(oneIn: 3)
        var model = try SpaceModel(
            oracle: RangeListOracle(), granule: 1 << UInt64(shift),
            regionCapacity: isTight ? 1 + random.below(8) : 64,
            reservationCapacity: isTight ? random.below(12) : 1024,
            magazine: .drawn(&random), mayRunOutOfEntries: isTight)
        if !random.chance(oneIn: 4) { try model.apply(.addUsable(.all)) }
        return model
    }
}

extension IOVAMagazineLimits {
    /// From no magazine to one that keeps everything.
    static func drawn(_ random: inout SeededGenerator) -> IOVAMagazineLimits {
        random.chance(oneIn: 5)
            ? .off
            : IOVAMagazineLimits(
                ranges: 1 + random.below(64), rangesPerSize: 1 + random.below(12),
                byteCount: random.chance(oneIn: 3) ? 1 << UInt64(random.below(40)) : .max)
    }
}
