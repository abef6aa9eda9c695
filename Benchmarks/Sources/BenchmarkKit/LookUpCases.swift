internal import CBenchmark

/// W4: which region holds this address? Over W1's regions after N steps of churn.
enum LookUpCases {
    /// The rows `W4-rand`, `W4-dep` and the two with nine queries in ten to eight hot regions.
    static func run(
        slots: Int, options: AllocatorOptions, clock: TickClock
    ) throws(BenchmarkError) -> [BenchmarkResult] {
        precondition(options.queries.nonzeroBitCount == 1, "queries are a power of two")
        let steps = max(slots, ChurnWorkload.stepsPerBlock)
        let trace = ChurnTrace.sparse(slots: slots, steps: steps, seed: options.seed)
        var workload = try ChurnWorkload(trace)
        _ = workload.runBlocks(count: steps, limit: clock.ticks(seconds: options.phaseSeconds))
        var results: [BenchmarkResult] = []
        for hot in [false, true] {
            let queries = Queries(workload, hot: hot, options: options)
            for dependent in [false, true] {
                let name = "W4-" + (hot ? "hot-" : "") + (dependent ? "dep" : "rand")
                results.append(measure(name, workload, queries, dependent, options, clock))
            }
        }
        workload.verify()
        return results
    }

    private struct Queries {
        let addresses: [UInt64]
        /// The sum of the right answers.
        let checksum: UInt64

        init(_ workload: borrowing ChurnWorkload, hot: Bool, options: AllocatorOptions) {
            var generator = SplitMix64(seed: options.seed ^ 0x100C)
            let count = workload.slots.count
            let hotSlots = (0..<8).map { _ in pick(generator.next(), below: count) }
            var addresses: [UInt64] = []
            addresses.reserveCapacity(options.queries)
            var checksum: UInt64 = 0
            for _ in 0..<options.queries {
                let (draw, place) = (generator.next(), generator.next())
                let index =
                    hot && draw % 10 < 9
                    ? hotSlots[Int(draw >> 32) & 7] : pick(draw, below: count)
                let slot = workload.slots[index]
                addresses.append(slot.address + place % slot.byteCount)
                checksum &+= slot.address
            }
            (self.addresses, self.checksum) = (addresses, checksum)
        }
    }

    private static func measure(
        _ name: String, _ workload: borrowing ChurnWorkload, _ queries: Queries,
        _ dependent: Bool, _ options: AllocatorOptions, _ clock: TickClock
    ) -> BenchmarkResult {
        var passes: [Double] = []
        for _ in 0..<options.passes {
            let start = cbench_ticks_begin()
            let sum =
                dependent
                ? chained(workload, queries.addresses) : independent(workload, queries.addresses)
            let ns = clock.nanoseconds(cbench_ticks_end() - start)
            precondition(sum == queries.checksum, "\(name): a look-up found the wrong region")
            passes.append(ns / Double(queries.addresses.count))
        }
        return BenchmarkResult(
            suite: "allocator", caseName: name, n: workload.slots.count, per: "look-up",
            medianNs: median(passes), meanNs: passes.reduce(0, +) / Double(passes.count),
            checksum: queries.checksum)
    }

    private static func independent(
        _ workload: borrowing ChurnWorkload, _ addresses: [UInt64]
    ) -> UInt64 {
        var sum: UInt64 = 0
        for address in addresses { sum &+= workload.regionStart(containing: address) }
        return sum
    }

    /// Each query's address depends on the answer before it, by a zero the compiler cannot see.
    private static func chained(
        _ workload: borrowing ChurnWorkload, _ addresses: [UInt64]
    ) -> UInt64 {
        let zero = cbench_opaque(0)
        var (sum, last): (UInt64, UInt64) = (0, 0)
        for address in addresses {
            last = workload.regionStart(containing: address | (last & zero))
            sum &+= last
        }
        return sum
    }
}
