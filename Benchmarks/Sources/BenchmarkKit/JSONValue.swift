internal import Foundation

/// Any JSON, so that the page shows every figure that the JSON has, also those of suites to come.
enum JSONValue: Decodable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let list = try? value.decode([JSONValue].self) {
            self = .list(list)
        } else {
            self = .object(try value.decode([String: JSONValue].self))
        }
    }

    /// As a reader wants it: whole numbers in full, others with four significant digits.
    var shown: String {
        switch self {
        case .null: ""
        case .bool(let value): value ? "yes" : "no"
        case .number(let value): JSONValue.shown(value)
        case .text(let text): text
        case .list(let values): values.map(\.shown).joined(separator: ", ")
        case .object(let members):
            members.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.shown)" }
                .joined(separator: ", ")
        }
    }

    /// With every digit that the JSON has.
    var exact: String {
        guard case .number(let value) = self else { return shown }
        return value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
    }

    static func shown(_ value: Double) -> String {
        if value == value.rounded(), abs(value) < 1e15 { return "\(Int(value))" }
        let digits = max(0, 3 - Int(log10(max(abs(value), 1e-9)).rounded(.down)))
        return String(format: "%.\(min(digits, 6))f", value)
    }
}
