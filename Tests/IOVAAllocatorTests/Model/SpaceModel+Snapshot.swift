import IOVAAllocator
import TestSupport

extension SpaceModel {
    /// Every figure of the snapshot, and the counters, against the oracle's entries and holes.
    func checkSnapshot(
        _ entries: [OracleEntry], _ holes: [ClosedRange<UInt64>]
    ) throws(Mismatch) {
        let snapshot = space.snapshot()
        var expected = ExpectedFigures()
        for entry in entries { expected.add(entry) }
        try compare(snapshot.regions, expected.regions, "regions")
        try compare(snapshot.quarantined, expected.quarantined, "quarantined")
        try compare(snapshot.guardGaps, expected.gaps, "guard gaps")
        try compare(snapshot.reserved, expected.reserved, "reserved")
        try compare(snapshot.free, holes.map(length), "free")
        try compare(
            (space.guardGapCount, space.guardByteCount), expected.gaps, "guard gaps counted")
        try compare(
            (space.quarantinedRegionCount, space.quarantinedByteCount), expected.quarantined,
            "quarantine counted")
        try require(
            snapshot.regions.byteCount == space.usedByteCount
                && snapshot.free.byteCount == space.freeByteCount
                && snapshot.cached.byteCount == space.cachedByteCount
                && snapshot.cached.byteCount <= snapshot.free.byteCount,
            "the snapshot and the counters differ")
        try checkHistogram(snapshot.regionSizes, expected.regions, "regions")
        try checkHistogram(snapshot.holeSizes, holes.map(length), "holes")
        try checkFragmentation(snapshot, holes)
    }

    private func compare(
        _ tally: IOVASpaceSnapshot.Tally, _ expected: [UInt128], _ what: String
    ) throws(Mismatch) {
        try compare((tally.count, tally.byteCount), expected, what)
    }

    private func compare(
        _ tally: (count: Int, byteCount: UInt64), _ expected: [UInt128], _ what: String
    ) throws(Mismatch) {
        let bytes = UInt64(min(expected.reduce(0, +), UInt128(UInt64.max)))
        try require(
            tally.count == expected.count && tally.byteCount == bytes,
            "\(what): \(tally), expected \(expected.count) of \(bytes) bytes")
    }

    private func checkHistogram(
        _ histogram: IOVASizeHistogram, _ expected: [UInt128], _ what: String
    ) throws(Mismatch) {
        var counts = Array(repeating: 0, count: 65)
        for bytes in expected { counts[127 - bytes.leadingZeroBitCount] += 1 }
        try require(histogram.counts == counts, "\(what) by size: \(histogram.counts)")
        let listed = histogram.nonempty.map(\.count)
        try require(listed == counts.filter { $0 > 0 }, "\(what) listed by size: \(listed)")
    }

    private func checkFragmentation(
        _ snapshot: IOVASpaceSnapshot, _ holes: [ClosedRange<UInt64>]
    ) throws(Mismatch) {
        let alignments: [(IOVAAlignmentClass, UInt64)] = [
            (.granule, granule), (.size2MiB, max(granule, 2 << 20)),
            (.size1GiB, max(granule, 1 << 30)),
        ]
        let stretches = oracle.stretches()
        for (alignment, step) in alignments {
            let hole = largest(holes, step)
            let stretch = largest(stretches, step)
            try require(
                snapshot.largestHole(alignment) == hole
                    && space.largestHole(alignment: step) == hole,
                "largest hole at \(step): \(snapshot.largestHole(alignment)), not \(hole)")
            try require(
                snapshot.largestStretch(alignment) == stretch,
                "largest stretch at \(step): \(snapshot.largestStretch(alignment)), not \(stretch)"
            )
            let attainable = min(snapshot.free.byteCount, stretch)
            let expected =
                attainable == 0 ? 0 : max(0, 1 - Double(hole) / Double(attainable))
            let seen = snapshot.fragmentation(alignment)
            try require(
                seen == expected && (0...1).contains(seen),
                "fragmentation at \(step): \(seen), not \(expected)")
        }
    }

    /// Spans tile all addresses; those that meet a range are those of all that do.
    func checkSpans(overlapping range: IOVARange) throws(Mismatch) {
        var all: [(range: IOVARange, entry: IOVAEntry?)] = []
        space.forEachSpan { all.append(($0, $1)) }
        try require(
            all.first?.range.first == IOVA(0) && all.last?.range.last == IOVA(.max),
            "the spans do not reach from end to end")
        for (span, next) in zip(all, all.dropFirst()) {
            try require(span.range.isFollowed(by: next.range), "\(span) and \(next) do not touch")
            try require(span.entry != nil || next.entry != nil, "\(span) and \(next): one hole")
        }
        var entries: [IOVAEntry] = []
        space.forEachEntry(overlapping: .all) { entries.append($0) }
        try require(
            all.compactMap(\.entry) == entries
                && all.allSatisfy { $0.entry == nil || $0.entry?.range == $0.range },
            "the spans' entries differ from the walk's")
        var met: [IOVARange] = []
        space.forEachSpan(overlapping: range) { span, _ in met.append(span) }
        let expected = all.map(\.range).filter { $0.overlaps(range) }
        try require(met == expected, "spans over \(range): \(met), expected \(expected)")
    }
}

private func length(_ range: ClosedRange<UInt64>) -> UInt128 {
    UInt128(range.upperBound - range.lowerBound) + 1
}

/// The bytes of each entry, by what it is.
private struct ExpectedFigures {
    var regions: [UInt128] = []
    var quarantined: [UInt128] = []
    var gaps: [UInt128] = []
    var reserved: [UInt128] = []

    mutating func add(_ entry: OracleEntry) {
        let bytes = UInt128(entry.last - entry.first) + 1
        switch entry.kind {
        case .region: regions.append(bytes)
        case .quarantined: quarantined.append(bytes)
        case .gap: gaps.append(bytes)
        case .placeable, .guarded: reserved.append(bytes)
        case .unusable: break
        }
    }
}
