import Testing

@testable import BenchmarkKit

@Suite struct HeapSuiteTests {
    @Test func `a step asks for the size that the last step gave, and live bytes stay`() {
        let trace = HeapTrace.tight(slots: 1000, steps: 5000, seed: 42)
        var held = trace.fill
        var pending: UInt32?
        for step in trace.steps {
            if let pending { #expect(step.pages == pending) }
            pending = held[Int(step.victim)]
            held[Int(step.victim)] = step.pages
            #expect((1...16).contains(step.pages))
        }
        let live = trace.fill.reduce(UInt64(trace.steps[0].pages)) { $0 + UInt64($1) } * 64
        #expect(trace.rangeByteCount == UInt64(Double(live) / 0.8))
        // Five of eight are one unit.
        let ones = trace.fill.count { $0 == 1 }
        #expect((560...690).contains(ones), "\(ones)")
    }

    @Test func `a quick run has both rows, no failure, and the same work again`() throws {
        var options = AllocatorOptions()
        options.makeQuick()
        (options.slotCounts, options.blockSteps, options.singleSteps) = ([100, 3000], 5120, 500)
        // Longer than any pause of a busy machine: a phase that is cut has another checksum.
        options.phaseSeconds = 3600
        var runs: [[BenchmarkResult]] = [[], []]
        for run in runs.indices {
            try HeapSuite.run(options, devicePath: nil, clock: .calibrated()) {
                runs[run].append($0)
            }
        }
        #expect(runs[0].map(\.caseName) == ["stacks", "heap", "stacks", "heap"])
        #expect(runs[0].map(\.n) == [100, 100, 3000, 3000])
        #expect(runs[0].allSatisfy { $0.failures == 0 && $0.medianNs > 0 && $0.referenceNs != nil })
        #expect(runs[0][1].percentiles != nil)
        // The heap's IOVAs follow the memory that the process got.
        #expect(runs[0][0].checksum == runs[1][0].checksum)
    }

    @Test func `counts that cannot be are refused`() {
        var options = AllocatorOptions()
        options.slotCounts = [0]
        #expect(throws: BenchmarkError.self) {
            try HeapSuite.run(options, devicePath: nil, clock: .calibrated()) { _ in }
        }
        options.blockSteps = 1
        #expect(throws: BenchmarkError.self) {
            try HeapSuite.run(options, devicePath: nil, clock: .calibrated()) { _ in }
        }
    }
}
