import IOVAAllocator
import TestSupport
import Testing

extension SharedSpace {
    /// The model runs of `ModelFuzzTests` on a space that three threads share, in turns: what one
    /// has freed waits in its cache while the next asks for all that is free.
    @Suite struct ModelTests {
        private let crew = ThreadCrew(count: 3)

        @Test("small shared spaces agree with the bitmap after every step")
        func bitmap() throws {
            defer { crew.end() }
            try ModelFuzzTests().swarm(seed: 0x5a5a_0001, steps: 300, PageFuzz.self) {
                random throws in
                let places: [(UInt64, UInt64)] = [
                    (0, 4096), (0 &- (64 * 4096), 4096), (1 << 45, 2 << 20),
                ]
                let (base, granule) = random.pick(places)
                var model = try SpaceModel(
                    oracle: BitmapOracle(base: base, granule: granule, pageCount: 64),
                    granule: granule, regionCapacity: random.chance(oneIn: 3) ? 6 : 40,
                    magazine: .drawn(&random), sharers: crew)
                try model.apply(.addUsable(IOVARange(model.oracle.span)))
                return model
            }
        }

        @Test("shared spaces of 2^64 bytes agree with the ordered lists after every step")
        func lists() throws {
            defer { crew.end() }
            try ModelFuzzTests().swarm(seed: 0x5a5a_0002, steps: 200, WideFuzz.self) {
                random throws in
                let granule = random.pick([1, 4096, 65536, 2 << 20] as [UInt64])
                var model = try SpaceModel(
                    oracle: RangeListOracle(), granule: granule, regionCapacity: 64,
                    reservationCapacity: 1024, magazine: .drawn(&random),
                    sharers: crew)
                try model.apply(.addUsable(.all))
                return model
            }
        }

        /// Sequences that caches are for: few sizes, nothing but allocations anywhere and frees,
        /// and a space that is full half of the time, by its holes or by its capacity.
        @Test(
            "a shared space fails only where no hole exists or the capacity is used up",
            arguments: [20, 48, 64])
        func reuse(regionCapacity: Int) throws {
            defer { crew.end() }
            let seed = TestKnobs.seed(0x5a5a_0003)
            print("seed \(seed): replay with VDPA_SEED=\(seed)")
            var random = SeededGenerator(seed: seed)
            var model = try SpaceModel(
                oracle: BitmapOracle(base: 1 << 32, granule: 4096, pageCount: 64), granule: 4096,
                regionCapacity: regionCapacity,
                magazine: IOVAMagazineLimits(ranges: 16, byteCount: .max), sharers: crew)
            try model.apply(.addUsable(IOVARange(model.oracle.span)))
            var cachedMost: UInt64 = 0
            for step in 0..<3000 {
                // Swings between an empty and a full space.
                let isFilling = step / 100 % 2 == 0
                if random.chance(oneIn: isFilling ? 4 : 2), !model.live.isEmpty {
                    try model.apply(.free(random.pick(model.live).handle))
                } else if isFilling || random.chance(oneIn: 8) {
                    let pages = random.pick([1, 1, 2, 3] as [UInt64])
                    try model.apply(
                        .allocate(
                            byteCount: pages * 4096, alignment: random.pick([4096, 8192]),
                            .anywhere()))
                }
                cachedMost = max(cachedMost, model.space.cachedByteCount)
                if step % 8 == 0 { try model.check() }
            }
            #expect(cachedMost > 8 * 4096, "hardly anything was ever cached")
            #expect(model.outcomes["any", default: 0] > 500)
            #expect(
                model.outcomes[regionCapacity < 40 ? "capacityExhausted" : "noSpace", default: 0]
                    > 0)
        }
    }
}
