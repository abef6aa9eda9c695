internal import BenchmarkKit
internal import Glibc

/// One invocation: the machine, the clock, and the rows so far, printed as they come.
final class Session {
    let clock: TickClock
    let machine: Machine
    private let common: CommonOptions
    private let progress = ProgressLine.onStandardError()
    private var report: Report

    init(_ common: CommonOptions) throws {
        self.common = common
        clock = .calibrated()
        machine = Machine(devicePath: common.device, seed: common.seed, clock: clock)
        report = Report(machine: machine)
        // Before minutes of work, not after them.
        if let path = common.json { try report.write(to: path) }
        if let path = common.html { try report.writePage(to: path) }
        print("vdpa-bench on \(machine.summary)")
        print(machine.setting)
    }

    // Also where a suite throws: what is said then stands on a line of its own.
    deinit { progress.erase() }

    private func open(_ table: Table) -> (BenchmarkResult) -> Void {
        progress.erase()
        print("\n" + table.header)
        return { [self] result in
            progress.erase()
            print(table.row(result))
            // Rows show as they come through a pipe, too, and outlive a crash of a later case.
            fflush(nil)
            report.results.append(result)
        }
    }

    /// - Parameter cases: what is measured where the command line names none.
    func runAllocator(_ sizes: AllocatorSizes, cases: [AllocatorCase]) throws {
        var options = AllocatorOptions()
        options.cases = sizes.cases.isEmpty ? cases : sizes.cases
        if common.quick { options.makeQuick() }
        options.seed = common.seed
        if let repetitions = common.repetitions { options.repetitions = repetitions }
        if !sizes.slotCounts.isEmpty { options.slotCounts = sizes.slotCounts }
        if let steps = sizes.steps { options.blockSteps = steps }
        if let steps = sizes.singleSteps { options.singleSteps = steps }
        if let seconds = sizes.phaseSeconds { options.phaseSeconds = seconds }
        let report = open(.allocator)
        var count: Int?
        try AllocatorSuite.run(options, clock: clock, progress: progress) { result in
            // The rows of each count stand together.
            if let count, count != result.n {
                progress.erase()
                print()
            }
            count = result.n
            report(result)
        }
        progress.erase()
        if !common.quick { printGoals() }
    }

    /// What of the goals is met; nothing where no row has one.
    private func printGoals() {
        let verdicts = AllocatorGoals.judge(report.results)
        guard !verdicts.isEmpty else { return }
        print("\ngoals, for a quiet machine:")
        for verdict in verdicts { print("  " + verdict.line) }
        let met = verdicts.count { $0.isMet }
        print("\(met) goals met, \(verdicts.count - met) missed")
    }

    func runMemory(_ sizes: MemorySizes) throws {
        var options = MemoryOptions()
        if common.quick { options.makeQuick() }
        if let repetitions = common.repetitions { options.repetitions = repetitions }
        if let mebibytes = sizes.mebibytes { options.byteCount = mebibytes << 20 }
        if let threads = sizes.threads { options.threads = threads }
        try MemorySuite.run(
            options, devicePath: common.device, machine: machine, clock: clock,
            progress: progress, report: open(.memory)
        ) { [progress] name, reason in
            progress.erase()
            print("\(name): not available: \(reason)")
        }
    }

    func runMap(_ sizes: MapSizes) throws {
        var options = MapOptions()
        if common.quick { options.makeQuick() }
        options.devicePath = common.device
        if let repetitions = common.repetitions { options.repetitions = repetitions }
        if let regions = sizes.regions { options.regions = regions }
        if let singles = sizes.singles { options.singles = singles }
        try MapSuite.run(options, clock: clock, progress: progress, report: open(.map))
    }

    func runCost(_ sizes: CostSizes) throws {
        var options = CostOptions()
        if common.quick { options.makeQuick() }
        if let repetitions = common.repetitions { options.repetitions = repetitions }
        if let regions = sizes.carved { options.regions = regions }
        if let extents = sizes.extents { options.extents = extents }
        try CostSuite.run(options, clock: clock, progress: progress, report: open(.cost))
    }

    func runHeap(_ sizes: HeapSizes) throws {
        var options = AllocatorOptions()
        if common.quick { options.makeQuick() }
        options.slotCounts = common.quick ? [1_000] : HeapSuite.slotCounts
        options.seed = common.seed
        if let repetitions = common.repetitions { options.repetitions = repetitions }
        if !sizes.slotCounts.isEmpty { options.slotCounts = sizes.slotCounts }
        try HeapSuite.run(
            options, devicePath: common.device, clock: clock, progress: progress,
            report: open(.heap))
    }

    func runPool() throws {
        var options = PoolOptions()
        if common.quick { options.makeQuick() }
        if let repetitions = common.repetitions { options.repetitions = repetitions }
        try PoolSuite.run(options, clock: clock, progress: progress, report: open(.pool))
    }

    func runTranslate(_ sizes: TranslateSizes) throws {
        var options = TranslateOptions()
        if common.quick { options.makeQuick() }
        options.seed = common.seed
        if let repetitions = common.repetitions { options.repetitions = repetitions }
        if !sizes.translated.isEmpty { options.regionCounts = sizes.translated }
        try TranslateSuite.run(options, clock: clock, progress: progress, report: open(.translate))
    }

    func runBlock(_ sizes: BlockSizes) throws {
        var options = BlockSuiteOptions()
        if common.quick { options.makeQuick() }
        options.devicePath = common.device
        options.seed = common.seed
        options.ways = sizes.ways
        if let repetitions = common.repetitions { options.repetitions = repetitions }
        if let requests = sizes.requests { options.requests = requests }
        if let depth = sizes.depth { options.depth = depth }
        if let bytes = sizes.bytes { options.requestBytes = bytes }
        try BlockSuite.run(options, clock: clock, progress: progress, report: open(.block))
    }

    func finish() throws {
        progress.erase()
        if let path = common.json {
            try report.write(to: path)
            print("\n\(report.results.count) rows written to \(path)")
        }
        if let path = common.html {
            try report.writePage(to: path)
            print("\na page of \(report.results.count) rows written to \(path)")
        }
    }
}
