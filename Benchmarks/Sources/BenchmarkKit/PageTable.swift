internal import Foundation

/// Tables of the page, made of what the JSON holds.
enum PageTable {
    /// Columns that come first, in this order; whatever else there is follows by name.
    private static let leading = [
        "case", "n", "threads", "per", "median_ns", "mean_ns", "worst_median_ns", "p50_ns",
        "p99_ns",
        "p999_ns", "max_ns", "messages", "failures",
    ]
    /// In the heading, or drawn as a curve.
    private static let hidden: Set<String> = ["suite", "curve_ns"]

    /// A row for each result; a column for each name that has a value in some row.
    static func rows(_ rows: [[String: JSONValue]]) -> String {
        let present = Set(rows.flatMap { $0.filter { $0.value != .null }.keys }).subtracting(hidden)
        let columns =
            leading.filter(present.contains) + present.subtracting(leading).sorted()
        let longest = rows.compactMap { number($0["median_ns"]) }.max() ?? 0
        let head = columns.map { "<th>\(escaped(heading($0)))</th>" }.joined()
        let body = rows.map { row in
            "<tr>"
                + columns.map { column in
                    cell(row[column] ?? .null, bar: column == "median_ns" ? longest : nil)
                }.joined() + "</tr>"
        }
        return
            "<div class=\"wide\"><table><tr>\(head)</tr>\n\(body.joined(separator: "\n"))</table></div>"
    }

    static func members(_ object: [String: JSONValue]) -> String {
        let body = object.sorted { $0.key < $1.key }.map { name, value in
            "<tr><th>\(escaped(heading(name)))</th>\(cell(value, bar: nil))</tr>"
        }
        return "<table>\(body.joined(separator: "\n"))</table>"
    }

    /// - Parameter bar: the value that fills the cell; nil for a cell without a bar.
    private static func cell(_ value: JSONValue, bar: Double?) -> String {
        guard let number = number(value) else { return "<td>\(escaped(value.shown))</td>" }
        var style = ""
        if let bar, bar > 0 {
            style = " style=\"--part:\(String(format: "%.2f", 100 * number / bar))%\""
        }
        return "<td class=\"figure\"\(style) title=\"\(value.exact)\">\(value.shown)</td>"
    }

    private static func number(_ value: JSONValue?) -> Double? {
        if case .number(let number)? = value { number } else { nil }
    }

    /// `worst_median_ns` as `worst median, ns`.
    private static func heading(_ name: String) -> String {
        let isTime = name.hasSuffix("_ns")
        let words = (isTime ? String(name.dropLast(3)) : name).replacingOccurrences(
            of: "_", with: " ")
        return words.replacingOccurrences(of: "p999", with: "p99.9") + (isTime ? ", ns" : "")
    }
}

/// The page's look. The colours of lines are told apart by people with any kind of colour vision as
/// well as may be (after Okabe and Ito); dashes tell them apart once more.
enum PageStyle {
    private static let light = [
        "#0b6bb3", "#c2570c", "#0a8f68", "#a83e87", "#8a6d00", "#2a9fd0", "#8a3b12", "#5b5fc7",
    ]
    private static let dark = [
        "#56a8e8", "#f0883e", "#2fc492", "#dd86bf", "#e3c23a", "#7fd3f7", "#d08a62", "#a5a8ff",
    ]
    private static let dashes = [
        "none", "8 3", "2 3", "10 3 2 3", "5 5", "14 4", "3 6", "8 3 2 3 2 3",
    ]

    static var css: String {
        let lines = dashes.enumerated().map { index, dash in
            ".line.s\(index){stroke:var(--s\(index));stroke-dasharray:\(dash)}"
                + ".point.s\(index){fill:var(--s\(index))}"
        }
        return """
            :root{color-scheme:light dark;--page:#ffffff;--text:#1b1f24;--quiet:#57606a;\
            --grid:#d8dee4;--bar:#dbe9f6;\(properties(light))}
            @media (prefers-color-scheme:dark){:root{--page:#0f1318;--text:#e6edf3;--quiet:#9aa5b1;\
            --grid:#2b323b;--bar:#1d3a54;\(properties(dark))}}
            body{margin:1.5rem;background:var(--page);color:var(--text);\
            font:14px/1.45 system-ui,sans-serif}
            h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}
            .charts{display:flex;flex-wrap:wrap;gap:1rem}
            figure{margin:0;flex:1 1 560px;max-width:720px}
            figcaption{font-weight:600}
            figure>svg{width:100%;height:auto}
            .grid{stroke:var(--grid)}
            .line{fill:none;stroke-width:2}
            text{fill:var(--quiet);font-size:12px}
            .middle{text-anchor:middle}.end{text-anchor:end}
            .legend{list-style:none;display:flex;flex-wrap:wrap;gap:.1rem 1rem;padding:0;margin:0}
            .legend svg{vertical-align:middle;margin-right:.3em}
            .wide{overflow-x:auto}
            table{border-collapse:collapse;margin:.6rem 0}
            th,td{text-align:left;padding:.15rem .7rem .15rem 0;border-bottom:1px solid var(--grid);\
            white-space:nowrap}
            th{color:var(--quiet);font-weight:600}
            .figure{font-variant-numeric:tabular-nums;\
            background:linear-gradient(90deg,var(--bar) var(--part,0%),transparent 0)}
            \(lines.joined(separator: "\n"))
            """
    }

    private static func properties(_ colours: [String]) -> String {
        colours.enumerated().map { "--s\($0.offset):\($0.element);" }.joined()
    }
}
