internal import Foundation

/// Lines over one another as SVG: positions along x are the caller's, y is logarithmic. Lines are
/// told apart by colour and by dashes, points carry their figures as tool tips.
struct LineChart {
    struct Point {
        let x: Double
        let y: Double
        /// What the tool tip says of it.
        let label: String
    }

    struct Series {
        let name: String
        let points: [Point]
    }

    let title: String
    let xTitle: String
    let yTitle: String
    /// Positions along x, and what is written there.
    let ticks: [(x: Double, label: String)]
    let series: [Series]

    /// Lines that one chart shows: as many as there are colours.
    static let seriesLimit = 8
    private static let (width, height) = (720.0, 340.0)
    private static let (left, right, top, bottom) = (70.0, 30.0, 12.0, 46.0)

    /// Charts of at most `seriesLimit` lines each; none where nothing has a point.
    static func charts(
        _ title: String, xTitle: String, yTitle: String, ticks: [(x: Double, label: String)],
        _ series: [Series]
    ) -> [LineChart] {
        let drawn = series.filter { $0.points.contains { $0.y > 0 } }
        return stride(from: 0, to: drawn.count, by: seriesLimit).map { start in
            LineChart(
                title: title + (start == 0 ? "" : ", continued"), xTitle: xTitle, yTitle: yTitle,
                ticks: ticks, series: Array(drawn[start..<min(start + seriesLimit, drawn.count)]))
        }
    }

    /// The chart with its title and its legend.
    var html: String {
        let legend = series.enumerated().map { index, line in
            "<li><svg width=\"34\" height=\"10\"><line class=\"line s\(index)\" x1=\"1\" x2=\"33\" "
                + "y1=\"5\" y2=\"5\"/></svg>\(escaped(line.name))</li>"
        }
        return """
            <figure><figcaption>\(escaped(title))</figcaption>
            <svg viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" role="img" \
            aria-label="\(escaped(title))">
            \(axes)
            \(series.enumerated().map { draw($0.element, $0.offset) }.joined(separator: "\n"))
            </svg>
            <ul class="legend">\(legend.joined())</ul></figure>
            """
    }

    private var values: [Double] { series.flatMap { $0.points.map(\.y) }.filter { $0 > 0 } }
    private var lowest: Double { log10(values.min() ?? 1).rounded(.down) }
    private var highest: Double { max(lowest + 1, log10(values.max() ?? 10).rounded(.up)) }

    private func place(x: Double) -> Double {
        let first = ticks.first?.x ?? 0
        let span = max((ticks.last?.x ?? 1) - first, 1e-9)
        return Self.left + (x - first) / span * (Self.width - Self.left - Self.right)
    }

    private func place(y: Double) -> Double {
        let part = (log10(y) - lowest) / (highest - lowest)
        return Self.height - Self.bottom - part * (Self.height - Self.top - Self.bottom)
    }

    private var axes: String {
        let base = Self.height - Self.bottom
        var parts: [String] = []
        for exponent in Int(lowest)...Int(highest) {
            let y = place(y: pow(10, Double(exponent)))
            let label = LineChart.time(exponent)
            parts.append(
                "<line class=\"grid\" x1=\"\(n(Self.left))\" x2=\"\(n(Self.width - Self.right))\" "
                    + "y1=\"\(n(y))\" y2=\"\(n(y))\"/><text class=\"end\" x=\"\(n(Self.left - 6))\" "
                    + "y=\"\(n(y + 4))\">\(label)</text>")
        }
        for tick in ticks {
            let x = place(x: tick.x)
            parts.append(
                "<line class=\"grid\" x1=\"\(n(x))\" x2=\"\(n(x))\" y1=\"\(n(Self.top))\" "
                    + "y2=\"\(n(base))\"/><text class=\"middle\" x=\"\(n(x))\" y=\"\(n(base + 16))\">"
                    + "\(escaped(tick.label))</text>")
        }
        let middle = (Self.top + base) / 2
        parts.append(
            "<text class=\"middle\" x=\"\(n((Self.left + Self.width) / 2))\" "
                + "y=\"\(n(Self.height - 8))\">\(escaped(xTitle))</text>"
                + "<text class=\"middle\" transform=\"rotate(-90 14 \(n(middle)))\" x=\"14\" "
                + "y=\"\(n(middle))\">\(escaped(yTitle))</text>")
        return parts.joined(separator: "\n")
    }

    private func draw(_ line: Series, _ index: Int) -> String {
        let points = line.points.filter { $0.y > 0 }
        let path = points.map { "\(n(place(x: $0.x))),\(n(place(y: $0.y)))" }
        let marks = points.map { point in
            "<circle class=\"point s\(index)\" cx=\"\(n(place(x: point.x)))\" "
                + "cy=\"\(n(place(y: point.y)))\" r=\"3.5\"><title>\(escaped(line.name)), "
                + "\(escaped(point.label))</title></circle>"
        }
        return "<polyline class=\"line s\(index)\" points=\"\(path.joined(separator: " "))\"/>"
            + marks.joined()
    }

    /// A power of ten in nanoseconds, in the unit that it is read in.
    static func time(_ exponent: Int) -> String {
        let unit = max(0, min(3, Int((Double(exponent) / 3).rounded(.down))))
        return JSONValue.shown(pow(10, Double(exponent - 3 * unit)))
            + [" ns", " µs", " ms", " s"][unit]
    }

    private func n(_ value: Double) -> String { String(format: "%.1f", value) }
}

/// Text for HTML and SVG.
func escaped(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
        .replacingOccurrences(of: ">", with: "&gt;").replacingOccurrences(of: "\"", with: "&quot;")
}
