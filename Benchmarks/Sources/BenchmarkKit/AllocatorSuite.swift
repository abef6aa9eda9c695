/// The suite `allocator`: W1 to W4 and the references, at each slot count.
public enum AllocatorSuite {
    /// Reports each row as soon as it is known. A row is the best of its repetitions; repetitions
    /// of the different cases are interleaved, so that a noisy moment spoils no case as a whole.
    public static func run(
        _ options: AllocatorOptions, clock: TickClock, report: (BenchmarkResult) -> Void
    ) throws(BenchmarkError) {
        guard options.repetitions > 0 else { throw BenchmarkError("--repetitions is at least 1") }
        guard options.blockSteps >= ChurnWorkload.stepsPerBlock else {
            throw BenchmarkError("at least \(ChurnWorkload.stepsPerBlock) steps are timed")
        }
        report(ReferenceCases.timer(clock: clock))
        for slots in options.slotCounts {
            guard slots > 0, slots <= Int(UInt32.max) else {
                throw BenchmarkError("--n takes 1 to \(UInt32.max) slots, not \(slots)")
            }
            try runCases(slots: slots, options, clock, report)
        }
    }

    private static func runCases(
        slots: Int, _ options: AllocatorOptions, _ clock: TickClock,
        _ report: (BenchmarkResult) -> Void
    ) throws(BenchmarkError) {
        // The order of the first repetition's rows is the order of the table.
        var runs: [[BenchmarkResult]] = []
        for _ in 0..<options.repetitions {
            var rows: [BenchmarkResult] = []
            // First W3, while no other case's freed memory hides how much the space takes.
            let filled = try FillDrainCases.best(slots: slots, options: options, clock: clock)
            rows.append(ReferenceCases.chase(regions: slots, options: options, clock: clock))
            rows.append(ReferenceCases.floor(slots: slots, options: options, clock: clock))
            rows.append(try ChurnCases.sparse(slots: slots, options: options, clock: clock))
            rows.append(try ChurnCases.tight(slots: slots, options: options, clock: clock))
            rows.append(
                try ChurnCases.sparse(
                    slots: slots, options: options, clock: clock, treeOnly: true))
            rows.append(
                try ChurnCases.tight(
                    slots: slots, options: options, clock: clock, treeOnly: true))
            rows += try SharedChurnCases.run(slots: slots, options: options, clock: clock)
            rows += filled
            rows += try LookUpCases.run(slots: slots, options: options, clock: clock)
            runs.append(rows)
        }
        var best = runs[0].indices.map { row in
            var result = BenchmarkResult.best(of: runs.map { $0[row] })
            // Later instances reuse memory that the first has touched already.
            result.residentBytesPerRegion = runs[0][row].residentBytesPerRegion
            return result
        }
        addRatios(&best)
        best.forEach(report)
    }

    static func addRatios(_ rows: inout [BenchmarkResult]) {
        func reference(_ name: String) -> Double? {
            rows.first { $0.suite == "reference" && $0.caseName == name }?.medianNs
        }
        let (chase, floor) = (reference("chase"), reference("floor"))
        for index in rows.indices where rows[index].suite == "allocator" {
            if let chase { rows[index].ratioToChase = rows[index].medianNs / chase }
            // The floor is W1's loop: against a fill or a look-up it means nothing.
            if let floor, rows[index].per == "pair" {
                rows[index].ratioToFloor = rows[index].medianNs / floor
            }
        }
    }
}
