internal import Foundation

/// The JSON document: the machine and all rows. Its names stay.
public struct Report: Encodable, Sendable {
    public let machine: Machine
    public var results: [BenchmarkResult] = []

    public init(machine: Machine) { self.machine = machine }

    public func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
    }

    public func write(to path: String) throws(BenchmarkError) {
        do {
            try Data(json().utf8).write(to: URL(fileURLWithPath: path))
        } catch {
            let reason = error.localizedDescription
            throw BenchmarkError("the results could not be written to \(path): \(reason)")
        }
    }
}
