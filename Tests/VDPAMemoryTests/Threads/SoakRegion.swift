import TestSupport
import VDPAMemory
import VDPASimulator

/// A live region, as whoever has taken it off the board sees it: nobody else frees it meanwhile,
/// and nobody else writes to it.
struct SoakRegion: Sendable {
    let id: RegionID
    let first: IOVA
    let byteCount: Int
    let access: DMAAccess
    private let address: UInt
    /// Tells its content apart from that of all others, earlier ones at the same place included.
    let stamp: UInt64

    init(_ info: RegionInfo, id: RegionID, stamp: UInt64) {
        self.id = id
        first = info.range.first
        byteCount = Int(info.byteCount)
        access = info.access
        // Only a number here; the region's life is that of this value's place on the board.
        address = unsafe UInt(bitPattern: info.address)
        self.stamp = stamp
    }

    func iova(_ offset: Int) -> IOVA { IOVA(first.rawValue + UInt64(offset)) }

    /// What a word holds: it depends on the region and on the place, so that a write that lands
    /// elsewhere shows.
    func word(_ offset: Int) -> UInt64 {
        (stamp &+ UInt64(offset / 8)) &* 0x9e37_79b9_7f4a_7c15
    }

    func pattern(_ offset: Int, byteCount: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        for place in stride(from: offset, to: offset + byteCount, by: 8) {
            let word = word(place)
            for byte in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> (8 * byte))) }
        }
        return bytes
    }

    private var memory: UnsafeMutableRawPointer {
        // Safe: the region lives while its holder has it.
        unsafe UnsafeMutableRawPointer(bitPattern: address)!
    }

    /// Fills the region by the process.
    func fill() {
        for offset in stride(from: 0, to: byteCount, by: 8) {
            unsafe memory.storeBytes(of: word(offset), toByteOffset: offset, as: UInt64.self)
        }
    }

    /// Where the process sees another content than the region's, first; nil where it is right.
    func firstWrongOffset() -> Int? {
        stride(from: 0, to: byteCount, by: 8).first { offset in
            unsafe memory.load(fromByteOffset: offset, as: UInt64.self) != word(offset)
        }
    }

    /// Whether new memory reads as zeros.
    func isZero() -> Bool {
        stride(from: 0, to: byteCount, by: 8).allSatisfy { offset in
            unsafe memory.load(fromByteOffset: offset, as: UInt64.self) == 0
        }
    }

    /// What the process sees at a place.
    func bytes(_ offset: Int, byteCount: Int) -> [UInt8] {
        unsafe [UInt8](UnsafeRawBufferPointer(start: memory + offset, count: byteCount))
    }
}

/// The live regions that nobody is using: threads take one, and give it back or free it.
final class SoakBoard: Sendable {
    private let regions = Guarded<[SoakRegion]>([])
    let capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    var isFull: Bool { regions.withLock { $0.count >= capacity } }

    func put(_ region: SoakRegion) { regions.withLock { $0.append(region) } }

    /// One of them by chance; nil where there is none.
    func take(_ choice: Int) -> SoakRegion? {
        regions.withLock { regions in
            guard !regions.isEmpty else { return nil }
            let index = choice % regions.count
            regions.swapAt(index, regions.count - 1)
            return regions.removeLast()
        }
    }
}

/// What threads have seen that must not be, and what they have counted.
final class SoakRecord: Sendable {
    private struct State: Sendable {
        var problems: [String] = []
        var counts: [String: Int] = [:]
    }

    private let state = Guarded(State())

    /// Of many, the first few tell enough.
    func problem(_ text: @autoclosure () -> String) {
        state.withLock { if $0.problems.count < 10 { $0.problems.append(text()) } }
    }

    func count(_ what: String) { state.withLock { $0.counts[what, default: 0] += 1 } }

    var problems: [String] { state.withLock { $0.problems } }

    func counted(_ what: String) -> Int { state.withLock { $0.counts[what, default: 0] } }

    var summary: String {
        state.withLock { state in
            state.counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
                .joined(separator: ", ")
        }
    }
}
