internal import CBenchmark
internal import IOVAAllocator

/// W3: a new space filled with N regions, then all of them freed in random order.
enum FillDrainCases {
    /// The best of several new spaces: a small one is filled in microseconds, in which the first
    /// instance meets cold code and caches.
    static func best(
        slots count: Int, options: AllocatorOptions, clock: TickClock
    ) throws(BenchmarkError) -> [BenchmarkResult] {
        let instances = max(1, min(20, 200_000 / count))
        var runs: [[BenchmarkResult]] = []
        for _ in 0..<instances {
            runs.append(try run(slots: count, options: options, clock: clock))
        }
        return runs[0].indices.map { row in
            var result = BenchmarkResult.best(of: runs.map { $0[row] })
            result.residentBytesPerRegion = runs[0][row].residentBytesPerRegion
            return result
        }
    }

    /// The rows `W3-fill` and `W3-drain`, each timed as a whole.
    static func run(
        slots count: Int, options: AllocatorOptions, clock: TickClock
    ) throws(BenchmarkError) -> [BenchmarkResult] {
        let trace = ChurnTrace.sparse(slots: count, steps: 0, seed: options.seed)
        let order = shuffledOrder(count: count, seed: options.seed ^ 0xD1CE)
        let range = workloadRange(byteCount: trace.rangeByteCount)
        let slots = SlotTable(count: count)
        // What earlier cases freed goes back to the kernel, or the growth would hide in it.
        cbench_trim_heap()
        let residentBefore = Machine.residentByteCount()
        do {
            var space = try IOVASpace(
                usable: [range], regionCapacity: count, metadata: benchmarkMetadata)
            var checksum: UInt64 = 0
            let fillNs = try clock.time {
                checksum ^= try fill(&space, slots, trace.fill)
            }
            let growth = Machine.residentByteCount() - residentBefore
            if let fault = slots.fault(within: range) { fatalError("live regions: \(fault)") }
            let drainNs = try clock.time {
                checksum ^= try drain(&space, slots, order)
            }
            precondition(space.regionCount == 0, "a drained space holds no region")
            if let violation = space.invariantViolation() { fatalError("the space: \(violation)") }
            var filled = row("W3-fill", count, fillNs, checksum)
            filled.residentBytesPerRegion = Double(growth) / Double(count)
            return [filled, row("W3-drain", count, drainNs, checksum)]
        } catch {
            throw BenchmarkError("W3 at n = \(count): \(error)")
        }
    }

    private static func fill(
        _ space: inout IOVASpace, _ slots: borrowing SlotTable, _ pages: [UInt32]
    ) throws(IOVASpaceError) -> UInt64 {
        var checksum: UInt64 = 0
        for index in pages.indices {
            let allocation = try space.allocate(
                byteCount: RegionShape.byteCount(pages: pages[index]),
                alignment: RegionShape.alignment(pages: pages[index]))
            slots[index] = Slot(allocation, pages: pages[index])
            checksum = (checksum << 1 | checksum >> 63) ^ allocation.range.first.rawValue
        }
        return checksum
    }

    private static func drain(
        _ space: inout IOVASpace, _ slots: borrowing SlotTable, _ order: [Int]
    ) throws(IOVASpaceError) -> UInt64 {
        var checksum: UInt64 = 0
        for index in order {
            let range = try space.free(slots[index].handle)
            checksum = (checksum << 1 | checksum >> 63) ^ range.last.rawValue
        }
        return checksum
    }

    private static func row(
        _ name: String, _ count: Int, _ ns: Double, _ checksum: UInt64
    ) -> BenchmarkResult {
        let perRegion = ns / Double(count)
        return BenchmarkResult(
            suite: "allocator", caseName: name, n: count, per: "region",
            medianNs: perRegion, meanNs: perRegion, checksum: checksum)
    }
}
