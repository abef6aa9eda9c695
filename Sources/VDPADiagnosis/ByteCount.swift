/// A number of bytes as people write it: `64G`, `512 MiB`; 1024 to a step.
public struct ByteCount: RawRepresentable, Hashable, Sendable, Codable {
    /// The number of bytes.
    public let rawValue: UInt64

    /// The number of bytes.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The number of bytes.
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// Reads `4096`, `64K`, `2M`, `1G`, `4T`, with `iB` or `B` behind it or not, in any case.
    ///
    /// - Returns: nil where the text is something else, or more than 2^64-1.
    public init?(text: String) {
        var rest = text.lowercased()[...]
        if rest.hasSuffix("ib") {
            rest.removeLast(2)
        } else if rest.hasSuffix("b") {
            rest.removeLast()
        }
        var shift: UInt64 = 0
        if let unit = rest.last, let power = ["k", "m", "g", "t"].firstIndex(of: unit) {
            shift = UInt64(power + 1) * 10
            rest.removeLast()
        }
        while rest.last == " " { rest.removeLast() }
        guard rest.allSatisfy(\.isNumber), let number = UInt64(rest) else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
        guard !overflow else { return nil }
        rawValue = bytes
    }
}

extension ByteCount: CustomStringConvertible {
    /// In the largest unit that leaves a whole number, or a tenth of one.
    public var description: String {
        for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")]
            as [(UInt64, String)]
        where rawValue >= 1 << shift {
            let whole = rawValue >> shift
            let tenths = (((rawValue & ((1 << shift) - 1)) >> (shift - 10)) * 10) >> 10
            return tenths == 0 ? "\(whole) \(unit)" : "\(whole).\(tenths) \(unit)"
        }
        return "\(rawValue) bytes"
    }
}

/// `1 queue`, `2 queues`.
func counted(_ count: Int, _ noun: String) -> String {
    "\(count) \(noun)" + (count == 1 ? "" : "s")
}
