/// Numbers of bytes as text, in the largest unit that leaves at least one.
enum Bytes {
    static func text(_ count: UInt64) -> String {
        count == 0 ? "0 bytes" : text(span: count - 1)
    }

    /// - Parameter span: the bytes less one: 2^64 of them do not fit.
    static func text(span: UInt64) -> String {
        let bytes = Double(span) + 1
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        for (index, unit) in units.enumerated().reversed() {
            let size = Double(UInt64(1) << (10 * UInt64(index + 1)))
            guard bytes >= size else { continue }
            // Rounded down, so that nothing looks larger than it is.
            let tenths = (bytes / size * 10).rounded(.down)
            let whole = Int(tenths) / 10
            return Int(tenths) % 10 == 0
                ? "\(whole) \(unit)" : "\(whole).\(Int(tenths) % 10) \(unit)"
        }
        return "\(span + 1) bytes"
    }
}

/// `1 region`, `2 regions`.
func counted(_ count: Int, _ noun: String) -> String {
    "\(count) \(noun)" + (count == 1 ? "" : "s")
}
