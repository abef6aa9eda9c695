import Foundation
import Testing

@testable import BenchmarkKit

/// The JSON's names are an interface: scripts read them.
struct ReportTests {
    private let clock = TickClock(nanosecondsPerTick: 0.5)

    private func sample() -> BenchmarkResult {
        BenchmarkResult(
            suite: "allocator", caseName: "W1", n: 1000, per: "pair", medianNs: 25.5,
            meanNs: 26, checksum: .max)
    }

    private func rows(_ report: Report) throws -> (machine: [String: Any], rows: [[String: Any]]) {
        let object = try JSONSerialization.jsonObject(with: Data(report.json().utf8))
        let document = try #require(object as? [String: Any])
        #expect(Set(document.keys) == ["machine", "results"])
        return (
            try #require(document["machine"] as? [String: Any]),
            try #require(document["results"] as? [[String: Any]])
        )
    }

    @Test func everyNameIsPresentEvenWhereTheFigureIsNot() throws {
        var report = Report(machine: Machine(devicePath: nil, seed: 42, clock: clock))
        report.results = [sample()]
        let (machine, rows) = try rows(report)
        let row = try #require(rows.first)
        #expect(
            Set(row.keys) == [
                "suite", "case", "n", "threads", "per", "median_ns", "mean_ns", "p50_ns", "p99_ns",
                "p999_ns", "max_ns", "curve_ns", "failures", "messages", "checksum", "repetitions",
                "worst_median_ns", "best_ns", "span_over_live", "resident_bytes_per_region",
                "ratio_to_chase", "ratio_to_floor", "ratio_to_one_thread", "reference_ns", "ratio",
                "ratio_to_populate", "processor_ratio_to_populate", "best_median_ns",
                "best_processor_ns", "ratio_to_quiet", "ratio_to_one_by_one",
                "ratio_to_raw_update",
            ])
        #expect(row["p99_ns"] is NSNull)
        #expect(row["case"] as? String == "W1")
        #expect(row["threads"] as? Int == 1)
        #expect(row["median_ns"] as? Double == 25.5)
        #expect(row["checksum"] as? String == "0xffffffffffffffff")
        #expect(
            Set(machine.keys) == [
                "cpu", "cores", "memory_bytes", "architecture", "kernel", "device",
                "base_page_bytes", "huge_pages", "transparent_huge_pages",
                "transparent_huge_pages_shared", "release", "invariant_checks", "seed",
                "ns_per_tick",
            ])
        #expect(machine["seed"] as? Int == 42)
        #expect(machine["device"] as? String == "simulated")
    }

    @Test func percentilesAreThoseOfTheSamples() throws {
        // 1 to 100,000 ticks of half a nanosecond; three significant digits.
        let ticks = (1...100_000).map { UInt64($0) }
        let percentiles = try #require(Percentiles(ticks: ticks, clock: clock))
        #expect(abs(percentiles.p50 - 25_000) <= 25)
        #expect(abs(percentiles.p99 - 49_500) <= 50)
        #expect(abs(percentiles.p999 - 49_950) <= 50)
        #expect(percentiles.max == 50_000)
        #expect(Percentiles(ticks: [], clock: clock) == nil)
    }

    @Test func bestRepetitionIsTheRowAndNamesTheWorst() {
        var runs = [sample(), sample(), sample()]
        (runs[0].medianNs, runs[1].medianNs, runs[2].medianNs) = (30, 20, 40)
        runs[2].failures = 3
        let best = BenchmarkResult.best(of: runs)
        #expect(best.medianNs == 20)
        #expect(best.worstMedianNs == 40)
        #expect(best.repetitions == 3)
        #expect(best.failures == 3)
    }

    @Test func ratiosStandAgainstTheReferencesOfTheSameCount() {
        var chase = sample()
        (chase.suite, chase.caseName, chase.medianNs) = ("reference", "chase", 5)
        var rows = [chase, sample()]
        AllocatorSuite.addRatios(&rows)
        #expect(rows[1].ratioToChase == 5.1)
        #expect(rows[1].ratioToFloor == nil)
        #expect(rows[0].ratioToChase == nil)
    }

    @Test func ratioIsTheMedianOverTheReferenceBesideIt() {
        var row = sample()
        #expect(row.ratio == nil)
        row.referenceNs = 5
        #expect(row.ratio == 5.1)
    }

    @Test func tableColumnsAlign() {
        let header = Table.allocator.header.split(separator: "\n").last ?? ""
        let row = Table.allocator.row(sample())
        let end = header.range(of: "median")?.upperBound
        #expect(end.map { header.distance(from: header.startIndex, to: $0) } == 30)
        #expect(row.prefix(30).hasSuffix("25.5"))
    }

    @Test func clockTellsAMillisecond() {
        let clock = TickClock.calibrated()
        let ns = clock.time { usleep(10_000) }
        #expect(ns >= 9_900_000)
    }
}
