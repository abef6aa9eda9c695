internal import Foundation

/// Results as aligned columns, printed row by row as they come.
public struct Table: Sendable {
    struct Column: Sendable {
        let title: String
        let width: Int
        let text: @Sendable (BenchmarkResult) -> String
    }

    let title: [String]
    let columns: [Column]

    public var header: String {
        (title + [line { $0.title }]).joined(separator: "\n")
    }

    public func row(_ result: BenchmarkResult) -> String { line { $0.text(result) } }

    /// The first column is text, to the left; the others are figures, to the right.
    private func line(_ text: (Column) -> String) -> String {
        var line = ""
        for (index, column) in columns.enumerated() {
            let cell = text(column)
            let padding = String(repeating: " ", count: max(column.width - cell.count, 0))
            line += index == 0 ? cell + padding : " " + padding + cell
        }
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    static func name(width: Int) -> Column {
        Column(title: "case", width: width) { $0.caseName }
    }

    static func count(_ title: String, width: Int, unit: Int = 1) -> Column {
        Column(title: title, width: width) { String($0.n / unit) }
    }

    static func messages(width: Int) -> Column {
        Column(title: "messages", width: width) { String($0.messages) }
    }

    /// A figure, divided by `unit`; blank in rows that do not have it.
    static func figure(
        _ title: String, width: Int = 8, decimals: Int = 1, unit: Double = 1,
        _ value: @escaping @Sendable (BenchmarkResult) -> Double?
    ) -> Column {
        Column(title: title, width: width) { result in
            guard let value = value(result) else { return "" }
            return String(format: "%.\(decimals)f", value / unit)
        }
    }
}
