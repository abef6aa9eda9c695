import Testing

@testable import BenchmarkKit

struct BlockSuiteTests {
    @Test func eachWayHasItsRowAndThePoolSendsNoMessage() throws {
        var options = BlockSuiteOptions()
        (options.requests, options.repetitions) = (64, 1)
        var rows: [BenchmarkResult] = []
        try BlockSuite.run(options, clock: .calibrated()) { rows.append($0) }
        #expect(rows.map(\.caseName) == ["map-each", "map-batch", "deferred", "pool"])
        // A map and an unmap for each; neighbours that are unmapped together are one message; none.
        let messages = rows.map(\.messages)
        #expect(messages[0] == 128)
        #expect((65...128).contains(messages[1]))
        #expect((65...128).contains(messages[2]))
        #expect(messages[3] == 0)
        #expect(rows.allSatisfy { $0.n == 64 && $0.medianNs > 0 })
    }

    @Test func sizesThatCannotBeAreRefused() {
        for (depth, bytes) in [(0, 4096), (129, 4096), (1, 512), (1, 0)] {
            var options = BlockSuiteOptions()
            (options.depth, options.requestBytes) = (depth, bytes)
            #expect(throws: BenchmarkError.self) {
                try BlockSuite.run(options, clock: .calibrated()) { _ in }
            }
        }
    }
}
