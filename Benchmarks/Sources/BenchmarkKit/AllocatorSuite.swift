/// The suite `allocator`: W1 to W5 and the references, at each slot count.
public enum AllocatorSuite {
    /// Reports each row as soon as it is known. A row is the best of its repetitions; repetitions
    /// of the different cases are interleaved, so that a noisy moment spoils no case as a whole.
    public static func run(
        _ options: AllocatorOptions, clock: TickClock, progress: ProgressLine = .silent(),
        report: (BenchmarkResult) -> Void
    ) throws(BenchmarkError) {
        guard options.repetitions > 0 else { throw BenchmarkError("--repetitions is at least 1") }
        guard options.blockSteps >= ChurnWorkload.stepsPerBlock else {
            throw BenchmarkError("at least \(ChurnWorkload.stepsPerBlock) steps are timed")
        }
        let perCount = options.repetitions * (Set(options.cases).count + 1)
        progress.open("allocator", steps: 1 + options.slotCounts.count * perCount)
        progress.next("timer", n: 0)
        report(ReferenceCases.timer(clock: clock))
        for slots in options.slotCounts {
            guard slots > 0, slots <= Int(UInt32.max) else {
                throw BenchmarkError("--n takes 1 to \(UInt32.max) slots, not \(slots)")
            }
            try runCases(slots: slots, options, clock, progress, report)
        }
    }

    private static func runCases(
        slots: Int, _ options: AllocatorOptions, _ clock: TickClock, _ progress: ProgressLine,
        _ report: (BenchmarkResult) -> Void
    ) throws(BenchmarkError) {
        // The order of the first repetition's rows is the order of the table.
        var runs: [[BenchmarkResult]] = []
        for _ in 0..<options.repetitions {
            runs.append(try runOnce(slots: slots, options, clock, progress))
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

    /// Every case once, each with the reference chase before and after it.
    private static func runOnce(
        slots: Int, _ options: AllocatorOptions, _ clock: TickClock, _ progress: ProgressLine
    ) throws(BenchmarkError) -> [BenchmarkResult] {
        var reference = ReferenceChase(regions: slots, options: options, clock: clock)
        // First W3, while no other case's freed memory hides how much the space takes.
        let fills = options.cases.contains(.fillDrain)
        if fills { progress.next(AllocatorCase.fillDrain.rawValue, n: slots) }
        let filled =
            fills
            ? try reference.beside { () throws(BenchmarkError) in
                try FillDrainCases.best(slots: slots, options: options, clock: clock)
            } : []
        progress.next("references", n: slots)
        var rows = [
            ReferenceCases.chase(regions: slots, options: options, clock: clock),
            ReferenceCases.floor(slots: slots, options: options, clock: clock),
        ]
        for oneCase in AllocatorCase.allCases where options.cases.contains(oneCase) {
            if oneCase == .fillDrain {
                rows += filled
                continue
            }
            progress.next(oneCase.rawValue, n: slots)
            rows += try reference.beside { () throws(BenchmarkError) in
                try run(oneCase, slots: slots, options, clock)
            }
        }
        return rows
    }

    private static func run(
        _ oneCase: AllocatorCase, slots: Int, _ options: AllocatorOptions, _ clock: TickClock
    ) throws(BenchmarkError) -> [BenchmarkResult] {
        if oneCase == .lookUp {
            return try LookUpCases.run(slots: slots, options: options, clock: clock)
        }
        if oneCase == .shared {
            return try SharedChurnCases.run(slots: slots, options: options, clock: clock)
        }
        if oneCase == .bestFit {
            return [
                try BestFitCases.run(slots: slots, options: options, clock: clock),
                try BestFitCases.worst(slots: slots, options: options, clock: clock),
            ]
        }
        let treeOnly = oneCase == .sparseTree || oneCase == .tightTree
        let churn = oneCase.isTight ? ChurnCases.tight : ChurnCases.sparse
        return [try churn(slots, options, clock, oneCase.sizes, treeOnly)]
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
