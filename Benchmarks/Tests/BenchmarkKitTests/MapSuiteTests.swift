import Testing

@testable import BenchmarkKit

struct MapSuiteTests {
    private func rows(_ options: MapOptions) throws -> [BenchmarkResult] {
        var rows: [BenchmarkResult] = []
        try MapSuite.run(options, clock: .calibrated()) { rows.append($0) }
        return rows
    }

    @Test func eachWayHasItsRowsAndSharingSavesMessages() throws {
        var options = MapOptions()
        (options.regions, options.singles, options.repetitions) = (64, 64, 1)
        options.batchSizes = []
        let rows = try rows(options)
        #expect(
            rows.map(\.caseName) == [
                "map-one-by-one", "unmap-one-by-one", "map-batch", "unmap-batch",
                "map-coalesced", "unmap-coalesced", "map-extents", "populate-extents",
                "carve-extents", "unmap-extents", "flush-extents",
            ])
        let messages = Dictionary(uniqueKeysWithValues: rows.map { ($0.caseName, $0.messages) })
        let oneByOne = try #require(messages["map-one-by-one"])
        #expect(oneByOne >= 64)
        #expect(try #require(messages["map-batch"]) <= 64 + 2)
        #expect(try #require(messages["map-extents"]) < 64)
        #expect(rows.allSatisfy { $0.n == 64 && $0.medianNs > 0 })
        #expect(rows[0].percentiles != nil)
    }

    /// The goal's counts: one UPDATE for each 2 MiB at most, BEGIN and END; and nothing more than a
    /// message for each extent afterwards.
    @Test func moreRegionsThanEntriesAreCarvedInFewMessages() throws {
        var options = MapOptions()
        (options.regions, options.repetitions) = (10_000, 1)
        options.batchSizes = []
        let rows = try rows(options)
        let byName = Dictionary(uniqueKeysWithValues: rows.map { ($0.caseName, $0) })
        let carve = try #require(byName["carve-extents"])
        let single = try #require(byName["map-one-by-one"])
        #expect(carve.n == 10_000)
        #expect(single.n <= 2_000)
        let extents = (10_000 * 4096 + (2 << 20) - 1) / (2 << 20)
        #expect(carve.messages <= extents + 2)
        let freed = try #require(byName["unmap-extents"])
        let flushed = try #require(byName["flush-extents"])
        #expect(freed.messages + flushed.messages <= extents + 2)
        #expect(flushed.messages > 0)
        #expect(carve.ratioToOneByOne != nil)
        #expect(carve.ratioToRawUpdate == nil)
        let whole = try #require(byName["map-extents"])
        let population = try #require(byName["populate-extents"])
        #expect(abs(whole.medianNs - population.medianNs - carve.medianNs) < 0.01 * whole.medianNs)
    }

    @Test func missingDeviceIsNamed() {
        var options = MapOptions()
        options.devicePath = "/dev/vhost-vdpa-none"
        let error = #expect(throws: BenchmarkError.self) {
            try MapSuite.run(options, clock: .calibrated()) { _ in }
        }
        #expect(error?.description.contains("/dev/vhost-vdpa-none") == true)
    }

    @Test func eachBatchSizeHasItsRowsUpToTheSingles() throws {
        var options = MapOptions()
        (options.regions, options.singles, options.repetitions) = (32, 32, 1)
        options.batchSizes = [1, 32, 33]
        let sweep = try rows(options).filter { $0.caseName.hasSuffix("-batch-of") }
        #expect(
            sweep.map(\.caseName)
                == sweep.indices.map { $0 % 2 == 0 ? "map-batch-of" : "unmap-batch-of" })
        #expect(sweep.map(\.n) == [1, 1, 32, 32])
        // One message alone; else one each, and the batch's begin and end.
        #expect(sweep.map(\.messages).first == 1 && sweep[2].messages == 34)
    }
}
