import Testing

@testable import BenchmarkKit

struct MapSuiteTests {
    @Test func eachWayHasItsRowsAndSharingSavesMessages() throws {
        var options = MapOptions()
        (options.regions, options.batchSizes, options.repetitions) = (64, [], 1)
        var rows: [BenchmarkResult] = []
        try MapSuite.run(options, clock: .calibrated()) { rows.append($0) }
        #expect(
            rows.map(\.caseName) == [
                "map-one-by-one", "unmap-one-by-one", "map-batch", "unmap-batch",
                "map-coalesced", "unmap-coalesced", "map-extents", "unmap-extents",
            ])
        let messages = Dictionary(uniqueKeysWithValues: rows.map { ($0.caseName, $0.messages) })
        let oneByOne = try #require(messages["map-one-by-one"])
        #expect(oneByOne >= 64)
        #expect(try #require(messages["map-batch"]) <= 64 + 2)
        #expect(try #require(messages["map-extents"]) < 64)
        #expect(rows.allSatisfy { $0.n == 64 && $0.medianNs > 0 })
        #expect(rows[0].percentiles != nil)
    }

    @Test func eachBatchSizeHasItsRowsUpToTheRegions() throws {
        var options = MapOptions()
        (options.regions, options.batchSizes, options.repetitions) = (32, [1, 32, 33], 1)
        var rows: [BenchmarkResult] = []
        try MapSuite.run(options, clock: .calibrated()) { rows.append($0) }
        let sweep = rows.filter { $0.caseName.hasSuffix("-batch-of") }
        #expect(
            sweep.map(\.caseName)
                == sweep.indices.map { $0 % 2 == 0 ? "map-batch-of" : "unmap-batch-of" })
        #expect(sweep.map(\.n) == [1, 1, 32, 32])
        // One message alone; else one each, and the batch's begin and end.
        #expect(sweep.map(\.messages).first == 1 && sweep[2].messages == 34)
    }

    @Test func missingDeviceIsNamed() {
        var options = MapOptions()
        options.devicePath = "/dev/vhost-vdpa-none"
        let error = #expect(throws: BenchmarkError.self) {
            try MapSuite.run(options, clock: .calibrated()) { _ in }
        }
        #expect(error?.description.contains("/dev/vhost-vdpa-none") == true)
    }
}
