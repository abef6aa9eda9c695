import Foundation

/// Checks JSON against the part of JSON Schema that `Documentation/domain-snapshot.schema.json`
/// uses. A keyword that it does not know is a fault of the schema: nothing is passed over.
struct SchemaChecker {
    typealias Schema = [String: Any]

    let root: Schema
    private static let silent: Set<String> = ["$schema", "$defs", "title", "description"]

    /// - Parameter path: a schema's file.
    init(path: String) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        root = try JSONSerialization.jsonObject(with: data) as? Schema ?? [:]
    }

    /// What is wrong with a text, each with its place; empty where the schema holds.
    func violations(of text: String) throws -> [String] {
        let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
        return check(value, root, "$")
    }

    private func check(_ value: Any, _ schema: Schema, _ place: String) -> [String] {
        schema.keys.sorted().filter { !SchemaChecker.silent.contains($0) }.flatMap { keyword in
            check(value, keyword, schema[keyword] as Any, schema, place)
        }
    }

    private func check(
        _ value: Any, _ keyword: String, _ rule: Any, _ schema: Schema, _ place: String
    ) -> [String] {
        switch (keyword, rule) {
        case ("$ref", let name as String):
            guard let target = definition(name) else { return ["\(place): no \(name)"] }
            return check(value, target, place)
        case ("type", let type as String):
            return isOf(type, value) ? [] : ["\(place): not of type \(type)"]
        case ("const", let wanted):
            return "\(value)" == "\(wanted)" ? [] : ["\(place): not \(wanted)"]
        case ("enum", let choices as [String]):
            return choices.contains(value as? String ?? "") ? [] : ["\(place): not in \(choices)"]
        case ("pattern", let pattern as String):
            let text = value as? String ?? ""
            let found = text.range(of: pattern, options: .regularExpression)
            return found == nil ? ["\(place): \(text) does not match"] : []
        case ("minimum", let least as Int):
            return (value as? NSNumber)?.doubleValue ?? 0 >= Double(least)
                ? [] : ["\(place): below \(least)"]
        case ("required", let names as [String]):
            let object = value as? Schema ?? [:]
            return names.filter { object[$0] == nil }.map { "\(place): lacks \($0)" }
        case ("properties", let properties as [String: Schema]):
            guard let object = value as? Schema else { return [] }
            return object.keys.sorted().flatMap { name in
                // What a version does not know a reader ignores; a writer of ours must not write.
                properties[name].map { check(object[name] as Any, $0, "\(place).\(name)") }
                    ?? ["\(place).\(name): not in the schema"]
            }
        case ("items", let items as Schema):
            return (value as? [Any] ?? []).enumerated().flatMap { index, element in
                check(element, items, "\(place)[\(index)]")
            }
        default: return ["\(place): the schema's \(keyword) is not understood"]
        }
    }

    private func definition(_ reference: String) -> Schema? {
        let steps = reference.split(separator: "/").dropFirst().map(String.init)
        return steps.reduce(root as Any?) { ($0 as? Schema)?[$1] } as? Schema
    }

    private func isOf(_ type: String, _ value: Any) -> Bool {
        switch type {
        case "object": value is Schema
        case "array": value is [Any]
        case "string": value is String
        case "boolean": value is Bool && !isNumber(value)
        case "integer":
            isNumber(value)
                && (value as? NSNumber).map { floor($0.doubleValue) == $0.doubleValue } ?? false
        default: false
        }
    }

    /// Foundation bridges booleans to numbers and back: their description tells them apart.
    private func isNumber(_ value: Any) -> Bool {
        guard let number = value as? NSNumber else { return false }
        return unsafe String(cString: number.objCType) != "c"
    }
}
