/// All of [0, 2^64-1] as lists of ranges: what holds an address is read off the lists at every
/// boundary, so nothing is kept up to date and nothing can be kept wrongly.
package struct RangeListOracle: SpaceOracle {
    private struct Region {
        var range: ClosedRange<UInt64>
        var id: Int
        var isGap: Bool
        var isQuarantined = false
    }

    private var usable: [ClosedRange<UInt64>] = []
    private var regions: [Region] = []
    private var reservations: [(range: ClosedRange<UInt64>, guarded: Bool)] = []

    /// Nothing is usable at first.
    package init() {}

    package var span: ClosedRange<UInt64> { 0...UInt64.max }

    private func kind(_ address: UInt64) -> OracleKind? {
        guard usable.contains(where: { $0.contains(address) }) else { return .unusable }
        if let region = regions.first(where: { $0.range.contains(address) }) {
            if region.isGap { return .gap(region.id) }
            return region.isQuarantined ? .quarantined(region.id) : .region(region.id)
        }
        let covering = reservations.filter { $0.range.contains(address) }
        if covering.isEmpty { return nil }
        return covering.contains { $0.guarded } ? .guarded : .placeable
    }

    package func entries() -> [OracleEntry] {
        var starts: Set<UInt64> = [0]
        let ranges = usable + regions.map(\.range) + reservations.map(\.range)
        for range in ranges {
            starts.insert(range.lowerBound)
            if range.upperBound < .max { starts.insert(range.upperBound + 1) }
        }
        let sorted = starts.sorted()
        var result: [OracleEntry] = []
        var previous: OracleKind?
        for (index, first) in sorted.enumerated() {
            let kind = self.kind(first)
            if let kind {
                let last = index + 1 < sorted.count ? sorted[index + 1] - 1 : .max
                if kind == previous {
                    result[result.count - 1].last = last
                } else {
                    result.append(OracleEntry(first, last, kind))
                }
            }
            previous = kind
        }
        return result
    }

    package mutating func place(_ range: ClosedRange<UInt64>, id: Int, isGap: Bool) {
        regions.append(Region(range: range, id: id, isGap: isGap))
    }

    package mutating func removeAllRegions() { regions = [] }

    package mutating func remove(id: Int) { regions.removeAll { $0.id == id } }

    package mutating func quarantine(id: Int) {
        for index in regions.indices where regions[index].id == id {
            regions[index].isQuarantined = true
        }
    }

    package mutating func reserve(_ range: ClosedRange<UInt64>, guarded: Bool) {
        reservations.append((range, guarded))
    }

    package mutating func cancel(_ range: ClosedRange<UInt64>, guarded: Bool) -> Bool {
        guard
            let index = reservations.firstIndex(where: {
                $0.range == range && $0.guarded == guarded
            })
        else { return false }
        reservations.remove(at: index)
        return true
    }

    package mutating func addUsable(_ range: ClosedRange<UInt64>) { usable.append(range) }

    package mutating func withdrawUsable(_ range: ClosedRange<UInt64>) {
        usable = usable.flatMap { old -> [ClosedRange<UInt64>] in
            guard old.overlaps(range) else { return [old] }
            var rest: [ClosedRange<UInt64>] = []
            if old.lowerBound < range.lowerBound {
                rest.append(old.lowerBound...(range.lowerBound - 1))
            }
            if old.upperBound > range.upperBound {
                rest.append((range.upperBound + 1)...old.upperBound)
            }
            return rest
        }
    }
}
