internal import Foundation

/// What the kernel says about this process's memory, read afresh at each call.
package enum MappedMemory {
    /// The two-letter flags of the mapping at an address (`VmFlags` of smaps): `dc` is
    /// MADV_DONTFORK, `dd` MADV_DONTDUMP, `nh` MADV_NOHUGEPAGE. nil where nothing is mapped.
    package static func flags(at address: UInt) -> Set<String>? {
        var isInside = false
        for line in lines("smaps") {
            if let range = range(line) { isInside = range.contains(address) }
            if isInside, line.hasPrefix("VmFlags:") {
                return Set(line.split(separator: " ").dropFirst().map(String.init))
            }
        }
        return nil
    }

    private static func range(_ line: Substring) -> Range<UInt>? {
        let ends = line.prefix { $0 != " " }.split(separator: "-")
        guard ends.count == 2, let first = UInt(ends[0], radix: 16),
            let end = UInt(ends[1], radix: 16), first < end
        else { return nil }
        return first..<end
    }

    private static func lines(_ file: String) -> [Substring] {
        guard let handle = FileHandle(forReadingAtPath: "/proc/self/\(file)") else { return [] }
        var bytes = Data()
        // Foundation stops at the first short read.
        while let part = try? handle.read(upToCount: 1 << 16), !part.isEmpty { bytes += part }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }
}
