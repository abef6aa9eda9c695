internal import Foundation

extension Report {
    /// The machine, curves and tables as one HTML page that needs nothing else; light and dark by
    /// the reader's preference. Every figure of `json()` is in its tables.
    public func html() throws -> String {
        let document = try JSONDecoder().decode(JSONValue.self, from: Data(json().utf8))
        guard case .object(let members) = document, case .object(let machine)? = members["machine"],
            case .list(let rows)? = members["results"]
        else { throw BenchmarkError("the report is no object with a machine and results") }
        let suites = results.reduce(into: [String]()) { names, result in
            if !names.contains(result.suite) { names.append(result.suite) }
        }
        let objects = rows.compactMap { row -> [String: JSONValue]? in
            if case .object(let members) = row { members } else { nil }
        }
        let sections = suites.map { suite in
            let charts = curves(suite) + sweeps(suite)
            return "<section><h2>\(escaped(suite))</h2>\n<div class=\"charts\">"
                + charts.map(\.html).joined(separator: "\n") + "</div>\n"
                + PageTable.rows(objects.filter { $0["suite"] == .text(suite) }) + "</section>"
        }
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>vdpa-bench on \(escaped(self.machine.cpu))</title>
            <style>
            \(PageStyle.css)
            </style>
            </head>
            <body>
            <h1>vdpa-bench</h1>
            <p>\(escaped(self.machine.summary))<br>\(escaped(self.machine.setting))</p>
            <p>Times move with the machine and its neighbours: compare ratios. Every figure's full
            digits are in its tool tip.</p>
            \(sections.joined(separator: "\n"))
            <section><h2>the machine</h2>
            \(PageTable.members(machine))</section>
            </body>
            </html>

            """
    }

    /// Latency of single operations by percentile, a chart for each number of regions.
    private func curves(_ suite: String) -> [LineChart] {
        let rows = results.filter { $0.suite == suite && $0.percentiles != nil }
        let counts = Set(rows.map(\.n)).sorted()
        let ticks = PercentilePoint.percentiles.filter {
            [0, 50, 90, 99, 99.9, 99.99, 100].contains($0)
        }
        .map { (x: PercentilePoint.position($0), label: PercentilePoint.name($0)) }
        return counts.flatMap { count in
            LineChart.charts(
                "single operations at n = \(count)", xTitle: "percentile",
                yTitle: "the clock's cost included", ticks: ticks,
                rows.filter { $0.n == count }.map { row in
                    LineChart.Series(
                        name: row.caseName,
                        points: row.percentiles?.curve.map { point in
                            LineChart.Point(
                                x: PercentilePoint.position(point.percentile), y: point.ns,
                                label: "\(PercentilePoint.name(point.percentile)): "
                                    + "\(JSONValue.shown(point.ns)) ns")
                        } ?? [])
                })
        }
    }

    /// Medians by the number of regions, where a suite has several.
    private func sweeps(_ suite: String) -> [LineChart] {
        let rows = results.filter { $0.suite == suite }
        let names = rows.reduce(into: [String]()) { names, row in
            if !names.contains(row.caseName) { names.append(row.caseName) }
        }
        let lines = names.compactMap { name -> LineChart.Series? in
            let points = rows.filter { $0.caseName == name }.sorted { $0.n < $1.n }
            guard Set(points.map(\.n)).count > 1 else { return nil }
            return LineChart.Series(
                name: name,
                points: points.map { row in
                    LineChart.Point(
                        x: log10(Double(max(row.n, 1))), y: row.medianNs,
                        label: "n = \(row.n): \(JSONValue.shown(row.medianNs)) ns per \(row.per)")
                })
        }
        let counts = Set(lines.flatMap { $0.points.map(\.x) }).sorted()
        return LineChart.charts(
            "medians by n", xTitle: "n", yTitle: "median",
            ticks: counts.map { (x: $0, label: JSONValue.shown(pow(10, $0).rounded())) }, lines)
    }

    public func writePage(to path: String) throws(BenchmarkError) {
        do {
            try Data(html().utf8).write(to: URL(fileURLWithPath: path))
        } catch {
            let reason = error.localizedDescription
            throw BenchmarkError("the page could not be written to \(path): \(reason)")
        }
    }
}
