import Foundation
import Testing

/// What allocations of one name hold in this process: mappings and descriptors, and address space
/// that was reserved and not given back. Other tests run beside, so each counts under its own name.
struct Footprint: Hashable {
    var mappings = 0
    var descriptors = 0
    var reservations = 0

    init(of name: String) throws {
        let maps = try procfsText("/proc/self/maps")
        for line in maps.split(separator: "\n") {
            if line.contains("/memfd:\(name) ") { mappings += 1 }
            if line.contains("---p 00000000 00:00 0"), Footprint.isTestReservation(line) {
                reservations += 1
            }
        }
        let folder = "/proc/self/fd"
        for entry in try FileManager.default.contentsOfDirectory(atPath: folder) {
            let target = try? FileManager.default.destinationOfSymbolicLink(
                atPath: "\(folder)/\(entry)")
            if target?.contains("/memfd:\(name) ") == true { descriptors += 1 }
        }
    }

    /// The sweep reserves 12 MiB for 10 MiB, and no other test above 10 and up to 12.
    private static func isTestReservation(_ line: Substring) -> Bool {
        let ends = line.prefix { $0 != " " }.split(separator: "-").compactMap {
            UInt($0, radix: 16)
        }
        return ends.count == 2 && (UInt(10) << 20 + 1...12 << 20).contains(ends[1] - ends[0])
    }

    /// A name that no other test uses.
    static func uniqueName() -> String { "test-" + UUID().uuidString }
}

/// A line of the smaps entry of the memory at `address`.
func smapsLine(_ key: String, at address: UInt) throws -> String? {
    let smaps = try procfsText("/proc/self/smaps")
    let start = String(address, radix: 16) + "-"
    let entry = smaps.split(separator: "\n").drop { !$0.hasPrefix(start) }.dropFirst()
    return entry.first { $0.hasPrefix(key + ":") }.map(String.init)
}

/// A file of procfs, whole: Foundation stops at the first short read.
private func procfsText(_ path: String) throws -> String {
    let file = try #require(FileHandle(forReadingAtPath: path))
    var bytes = Data()
    while let part = try file.read(upToCount: 1 << 16), !part.isEmpty { bytes += part }
    return String(decoding: bytes, as: UTF8.self)
}
