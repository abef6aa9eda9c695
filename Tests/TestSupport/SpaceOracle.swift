/// What an oracle's entry is; a region is named by the number that the test gave it.
package enum OracleKind: Hashable, Sendable {
    case region(Int)
    case quarantined(Int)
    /// A guard gap of this region.
    case gap(Int)
    case placeable
    case guarded
    case unusable
}

package struct OracleEntry: Hashable, Sendable {
    package var first: UInt64
    package var last: UInt64
    package var kind: OracleKind

    package init(_ first: UInt64, _ last: UInt64, _ kind: OracleKind) {
        self.first = first
        self.last = last
        self.kind = kind
    }
}

extension OracleEntry: CustomStringConvertible {
    package var description: String {
        "\(String(first, radix: 16))-\(String(last, radix: 16)) \(kind)"
    }
}

/// What is asked of a hole.
package struct OracleRequest: Sendable {
    package var byteCount: UInt64
    package var alignment: UInt64
    package var offset: UInt64
    package var window: ClosedRange<UInt64>
    /// What must be free beside it, in the window too.
    package var before: UInt64
    package var behind: UInt64

    package init(
        byteCount: UInt64, alignment: UInt64, offset: UInt64 = 0,
        window: ClosedRange<UInt64> = 0...UInt64.max, before: UInt64 = 0, behind: UInt64 = 0
    ) {
        self.byteCount = byteCount
        self.alignment = alignment
        self.offset = offset
        self.window = window
        self.before = before
        self.behind = behind
    }

    /// The lowest address in `hole` that serves; in 128 bits, where nothing wraps.
    package func lowest(in hole: ClosedRange<UInt64>) -> UInt64? {
        let step = UInt128(alignment)
        let low = UInt128(max(hole.lowerBound, window.lowerBound)) + UInt128(before)
        let pad = (step + UInt128(offset) % step - low % step) % step
        let high = UInt128(min(hole.upperBound, window.upperBound))
        let end = low + pad + UInt128(byteCount) + UInt128(behind) - 1
        return end <= high ? UInt64(low + pad) : nil
    }

    package func highest(in hole: ClosedRange<UInt64>) -> UInt64? {
        let step = Int128(alignment)
        let low = Int128(max(hole.lowerBound, window.lowerBound)) + Int128(before)
        let end = Int128(min(hole.upperBound, window.upperBound)) + 1 - Int128(behind)
        let top = end - Int128(byteCount)
        guard top >= 0 else { return nil }
        let address = top - (top + step - Int128(offset) % step) % step
        return address >= low ? UInt64(address) : nil
    }
}

/// A slow and obvious model of an address space. Entries are canonical: neighbours of the same
/// kind are one, except regions.
package protocol SpaceOracle {
    /// The addresses that the model knows; nothing outside is usable.
    var span: ClosedRange<UInt64> { get }
    /// Everything that is not a hole, in address order.
    func entries() -> [OracleEntry]
    func lowestFit(_ request: OracleRequest) -> UInt64?
    func highestFit(_ request: OracleRequest) -> UInt64?
    /// The lowest address in the smallest hole that serves.
    func bestFit(_ request: OracleRequest) -> UInt64?
    /// A region, or with `isGap` a guard gap of it.
    mutating func place(_ range: ClosedRange<UInt64>, id: Int, isGap: Bool)
    /// The region and its gaps.
    mutating func remove(id: Int)
    mutating func removeAllRegions()
    mutating func quarantine(id: Int)
    mutating func reserve(_ range: ClosedRange<UInt64>, guarded: Bool)
    /// False where there is no such reservation.
    mutating func cancel(_ range: ClosedRange<UInt64>, guarded: Bool) -> Bool
    mutating func addUsable(_ range: ClosedRange<UInt64>)
    mutating func withdrawUsable(_ range: ClosedRange<UInt64>)
}

extension SpaceOracle {
    package func entries(meeting range: ClosedRange<UInt64>) -> [OracleEntry] {
        entries().filter { $0.first <= range.upperBound && range.lowerBound <= $0.last }
    }

    package func entry(containing address: UInt64) -> OracleEntry? {
        entries().first { $0.first <= address && address <= $0.last }
    }

    /// What is between the entries.
    package func holes() -> [ClosedRange<UInt64>] {
        var result: [ClosedRange<UInt64>] = []
        var next = UInt128(span.lowerBound)
        for entry in entries() {
            if UInt128(entry.first) > next { result.append(UInt64(next)...(entry.first - 1)) }
            next = UInt128(entry.last) + 1
        }
        if next <= UInt128(span.upperBound) { result.append(UInt64(next)...span.upperBound) }
        return result
    }

    package func lowestFit(_ request: OracleRequest) -> UInt64? {
        for hole in holes() {
            if let address = request.lowest(in: hole) { return address }
        }
        return nil
    }

    package func highestFit(_ request: OracleRequest) -> UInt64? {
        for hole in holes().reversed() {
            if let address = request.highest(in: hole) { return address }
        }
        return nil
    }

    package func bestFit(_ request: OracleRequest) -> UInt64? {
        let fitting = holes().filter { request.lowest(in: $0) != nil }
        // The first of the smallest, as `min` has it.
        let smallest = fitting.min {
            $0.upperBound - $0.lowerBound < $1.upperBound - $1.lowerBound
        }
        return smallest.flatMap { request.lowest(in: $0) }
    }

    /// What would be free if no region lived.
    package func stretches() -> [ClosedRange<UInt64>] {
        var empty = self
        empty.removeAllRegions()
        return empty.holes()
    }

    /// The entry that keeps a fixed placement out, or nil where it may go ahead.
    package func obstacle(
        _ range: ClosedRange<UInt64>, overReservations: Bool
    ) -> OracleEntry? {
        entries(meeting: range).first { entry in
            switch entry.kind {
            case .placeable: false
            case .guarded: !overReservations
            case .region, .quarantined, .gap, .unusable: true
            }
        }
    }
}
