extension IOVASpace {
    /// Everything that can be counted, in one walk.
    /// - Complexity: O(n), and the square of the reservations under each region that lies over
    ///   some.
    public func snapshot() -> IOVASpaceSnapshot {
        var builder = SnapshotBuilder(granule: granule)
        walk(overlapping: .all) { range, cursor in
            guard let cursor else { return builder.addHole(range) }
            builder.add(entry(cursor))
            guard tree.tag(cursor).liesOverReservation else { return }
            for piece in reservations.pieces(inside: range) { builder.interrupt(piece.range) }
        }
        return builder.finish(cached: cachedCount, cachedByteCount)
    }
}

/// A walk's sums, modulo 2^64 while it lasts.
private struct SnapshotBuilder {
    private var result = IOVASpaceSnapshot()
    private let granule: UInt64
    /// Where the stretch began that the walk is in: 0, and behind what interrupts.
    private var stretchFirst: UInt64? = 0

    init(granule: UInt64) { self.granule = granule }

    mutating func addHole(_ hole: IOVARange) {
        result.free.add(hole)
        result.holeSizes.add(byteCount: hole.byteCount ?? 0)
        result.holes.raise(to: Self.maxima(hole))
    }

    mutating func add(_ entry: IOVAEntry) {
        switch entry.kind {
        case .region:
            result.regions.add(entry.range)
            result.regionSizes.add(byteCount: entry.range.byteCount ?? 0)
        case .quarantined:
            result.quarantined.add(entry.range)
        case .guardGap:
            result.guardGaps.add(entry.range)
        case .reserved:
            result.reserved.add(entry.range)
            interrupt(entry.range)
        case .unusable:
            interrupt(entry.range)
        }
    }

    /// Ends the stretch of usable and unreserved addresses before `range`; the next begins behind.
    mutating func interrupt(_ range: IOVARange) {
        endStretch(before: range.first)
        stretchFirst = range.last.advanced(by: 1)?.rawValue
    }

    private mutating func endStretch(before end: IOVA) {
        guard let first = stretchFirst, first < end.rawValue else { return }
        result.stretches.raise(
            to: Self.maxima(IOVARange(first: first, last: end.rawValue - 1)))
    }

    mutating func finish(cached count: Int, _ byteCount: UInt64) -> IOVASpaceSnapshot {
        if let first = stretchFirst {
            result.stretches.raise(to: Self.maxima(IOVARange(first: first, last: .max)))
        }
        result.cached = IOVASpaceSnapshot.Tally(count: count, byteCount: byteCount)
        result.holes.truncate(to: granule)
        result.stretches.truncate(to: granule)
        result.regions.saturate()
        result.quarantined.saturate()
        result.reserved.saturate()
        result.free.saturate()
        return result
    }

    private static func maxima(_ range: IOVARange) -> HoleMaxima {
        HoleMaxima(holeAt: range.first.rawValue, length: range.byteCount ?? .max)
    }
}

extension IOVASpaceSnapshot.Tally {
    fileprivate mutating func add(_ range: IOVARange) {
        count += 1
        byteCount &+= range.last.rawValue &- range.first.rawValue &+ 1
    }

    /// Only all 2^64 bytes together come to 0.
    fileprivate mutating func saturate() {
        if count > 0, byteCount == 0 { byteCount = .max }
    }
}

extension HoleMaxima {
    /// Whole granules: 2^64 bytes are saturated at one byte less.
    fileprivate mutating func truncate(to granule: UInt64) {
        page &= ~(granule - 1)
        huge &= ~(granule - 1)
        giant &= ~(granule - 1)
    }
}
