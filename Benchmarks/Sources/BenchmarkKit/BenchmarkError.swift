/// Why a suite could not run, in a sentence for the person at the terminal.
public struct BenchmarkError: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
