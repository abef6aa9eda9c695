import Testing

@testable import BenchmarkKit

@Suite struct ProgressLineTests {
    /// What a terminal of one line shows after each write.
    private final class Screen {
        var lines: [String] = []
        private var line: [Character] = []

        func write(_ text: String) {
            #expect(text.first == "\r" && !text.contains("\n"))
            var column = 0
            for character in text {
                if character == "\r" {
                    column = 0
                } else {
                    if column < line.count {
                        line[column] = character
                    } else {
                        line.append(character)
                    }
                    column += 1
                }
            }
            lines.append(String(String(line).reversed().drop { $0 == " " }.reversed()))
        }
    }

    @Test func `the line says suite, case, N, step and time, and nothing of the last one stays`() {
        let screen = Screen()
        var now: UInt64 = 5_000_000_000
        let progress = ProgressLine(write: screen.write) { now }
        progress.open("allocator", steps: 2)
        now += 1_900_000_000
        progress.next("W1-pow2", n: 1_000_000)
        now += 123_000_000_000
        progress.next("W2", n: 10)
        progress.erase()
        progress.erase()
        #expect(
            screen.lines == [
                "allocator: W1-pow2, N = 1000000, 1 of 2, 1 s",
                "allocator: W2, N = 10, 2 of 2, 2 min 4 s", "",
            ])
    }

    @Test func `a long line is cut, for one that wraps cannot be written over`() {
        let screen = Screen()
        let progress = ProgressLine(write: screen.write) { 0 }
        progress.open("suite", steps: 1)
        progress.next(String(repeating: "x", count: 200), n: 1)
        #expect(screen.lines.map(\.count) == [ProgressLine.width])
    }

    /// What each suite announces is what it does: the last step is the last of so many.
    @Test(.serialized, arguments: ["allocator", "map", "cost", "heap", "pool", "translate", "blk"])
    func `each suite counts its steps`(suite: String) throws {
        let screen = Screen()
        let progress = ProgressLine(write: screen.write) { 0 }
        let rows = try run(suite, progress)
        #expect(rows > 0)
        let counts = screen.lines.map { $0.split(separator: ", ") }.map { $0[$0.count - 2] }
        #expect(screen.lines.allSatisfy { $0.hasPrefix("\(suite): ") })
        #expect(counts == (1...counts.count).map { "\($0) of \(counts.count)" })
    }

    private func run(_ suite: String, _ progress: ProgressLine) throws -> Int {
        let clock = TickClock.calibrated()
        var rows = 0
        let report = { (_: BenchmarkResult) in rows += 1 }
        var sizes = AllocatorOptions()
        sizes.makeQuick()
        (sizes.slotCounts, sizes.repetitions) = ([100, 200], 2)
        (sizes.minimumWarmUpSteps, sizes.blockSteps, sizes.singleSteps) = (100, 512, 10)
        (sizes.phaseSeconds, sizes.queries, sizes.passes) = (0.01, 1 << 10, 1)
        switch suite {
        case "allocator":
            try AllocatorSuite.run(sizes, clock: clock, progress: progress, report: report)
        case "map":
            var options = MapOptions()
            (options.regions, options.singles, options.repetitions) = (64, 16, 2)
            try MapSuite.run(options, clock: clock, progress: progress, report: report)
        case "cost":
            var options = CostOptions()
            (options.regions, options.extents, options.repetitions) = (100, 10, 2)
            try CostSuite.run(options, clock: clock, progress: progress, report: report)
        case "heap":
            try HeapSuite.run(
                sizes, devicePath: nil, clock: clock, progress: progress, report: report)
        case "pool":
            var options = PoolOptions()
            (options.buffers, options.buffersPerBlock) = (4096, 1024)
            (options.blocks, options.repetitions) = (2, 2)
            try PoolSuite.run(options, clock: clock, progress: progress, report: report)
        case "translate":
            var options = TranslateOptions()
            (options.regionCounts, options.queries, options.passes) = ([2], 1 << 10, 1)
            // Milliseconds in which the other thread must come to run, beside other tests'.
            (options.repetitions, options.blocks) = (2, 60)
            try TranslateSuite.run(options, clock: clock, progress: progress, report: report)
        default:
            var options = BlockSuiteOptions()
            (options.requests, options.repetitions) = (8, 2)
            (options.ways, options.depth) = (["pool", "deferred"], 4)
            try BlockSuite.run(options, clock: clock, progress: progress, report: report)
        }
        return rows
    }
}
