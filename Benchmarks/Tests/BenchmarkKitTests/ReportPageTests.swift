import Foundation
import Testing

@testable import BenchmarkKit

struct ReportPageTests {
    private let clock = TickClock(nanosecondsPerTick: 0.5)

    /// Rows of two suites, one with curves and several counts.
    private func report() -> Report {
        var report = Report(machine: Machine(devicePath: nil, seed: 42, clock: clock))
        for (index, count) in [1000, 10_000, 100_000].enumerated() {
            for name in 0..<10 {
                var row = BenchmarkResult(
                    suite: "allocator", caseName: "W<\(name)>", n: count, per: "pair",
                    medianNs: 25.123 + Double(name), meanNs: 26.75, checksum: 0xabc)
                row.percentiles = Percentiles(
                    ticks: (1...20_000).map { UInt64($0 + name) }, clock: clock)
                row.spanOverLive = index == 1 ? 1.0625 : nil
                report.results.append(row)
            }
        }
        var row = BenchmarkResult(
            suite: "map", caseName: "map-batch", n: 7, per: "region", medianNs: 1671.5, meanNs: 1,
            checksum: 1)
        row.messages = 1002
        report.results.append(row)
        return report
    }

    @Test func thePageHoldsEveryFigureOfTheJSON() throws {
        let report = report()
        let page = try report.html()
        let object = try JSONSerialization.jsonObject(with: Data(report.json().utf8))
        let document = try #require(object as? [String: Any])
        let rows = try #require(document["results"] as? [[String: Any]])
        let tableRows = page.components(separatedBy: "<tr>")
        for row in rows {
            let name = try #require(row["case"] as? String)
            let start =
                "<td>\(escaped(name))</td><td class=\"figure\" title=\"\(row["n"] ?? "")\">"
            let line = try #require(tableRows.first { $0.hasPrefix(start) })
            for (key, value) in row where !["case", "suite", "curve_ns"].contains(key) {
                if value is NSNull { continue }
                let cell =
                    value is String
                    ? ">\(value)</td>" : "title=\"\((value as? NSNumber)?.stringValue ?? "")\">"
                #expect(line.contains(cell), "\(key) of \(name)")
            }
        }
        let machine = try #require(document["machine"] as? [String: Any])
        for key in machine.keys {
            let heading = key.replacingOccurrences(of: "_", with: " ")
            #expect(page.contains("<th>\(heading)</th>"))
        }
    }

    @Test func everyCurveAndEverySweepIsDrawn() throws {
        let report = report()
        let page = try report.html()
        // Ten cases: two charts of at most eight lines for each count, and for the sweep.
        #expect(page.components(separatedBy: "<figure>").count - 1 == 2 * 3 + 2)
        #expect(page.components(separatedBy: "<polyline").count - 1 == 10 * 3 + 10)
        for row in report.results {
            for point in row.percentiles?.curve ?? [] {
                let name = PercentilePoint.name(point.percentile)
                #expect(
                    page.contains(
                        "<title>\(escaped(row.caseName)), \(name): "
                            + "\(JSONValue.shown(point.ns)) ns</title>"))
            }
        }
        #expect(page.contains("n = 10000: 25.12 ns per pair"))
    }

    @Test func thePageNeedsNothingElseAndNamesAreText() throws {
        let page = try report().html()
        #expect(!page.contains("http") && !page.contains("<script") && !page.contains("src="))
        #expect(!page.contains("W<") && page.contains("W&lt;0&gt;"))
        #expect(page.contains("prefers-color-scheme:dark"))
    }

    @Test func aReportWithoutRowsIsAPageToo() throws {
        let page = try Report(machine: Machine(devicePath: nil, seed: 1, clock: clock)).html()
        #expect(page.contains("<h2>the machine</h2>"))
    }

    @Test func theCurveRisesAndEndsWithTheMaximum() throws {
        let percentiles = try #require(
            Percentiles(ticks: (1...100_000).map { UInt64($0) }, clock: clock))
        #expect(percentiles.curve.map(\.ns) == percentiles.curve.map(\.ns).sorted())
        #expect(percentiles.curve.last?.ns == percentiles.max)
        #expect(percentiles.curve.first { $0.percentile == 99 }?.ns == percentiles.p99)
        let positions = percentiles.curve.map { PercentilePoint.position($0.percentile) }
        #expect(positions == positions.sorted() && positions.last == 5)
    }

    @Test func timesAreReadInTheirUnit() {
        let texts = [-1, 0, 2, 3, 5, 6, 9, 10].map { LineChart.time($0) }
        #expect(
            texts == [
                "0.1000 ns", "1 ns", "100 ns", "1 µs", "100 µs", "1 ms", "1 s", "10 s",
            ])
        #expect(PercentilePoint.name(99.9) == "p99.9" && PercentilePoint.name(50) == "p50")
    }

    @Test(arguments: [
        (0, "0"), (25.5, "25.50"), (1234.56, "1235"), (0.012345, "0.01235"), (1e6, "1000000"),
    ])
    func figuresAreShownWithFourDigits(value: Double, text: String) {
        #expect(JSONValue.shown(value) == text)
    }
}
