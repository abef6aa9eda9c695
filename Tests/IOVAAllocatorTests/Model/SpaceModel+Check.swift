import IOVAAllocator
import TestSupport

extension SpaceModel {
    /// Everything that can be seen of the space against the oracle.
    func check() throws(Mismatch) {
        if let problem = space.invariantViolation() { throw Mismatch("invariant: \(problem)") }
        let expected = oracle.entries()
        let span = IOVARange(oracle.span)
        var seen: [OracleEntry] = []
        space.forEachEntry(overlapping: span) { seen.append(clipped($0)) }
        try require(seen == expected, "walk \(seen), expected \(expected)")
        var holes: [ClosedRange<UInt64>] = []
        space.forEachHole { holes.append($0.raw) }
        let expectedHoles = oracle.holes()
        try require(holes == expectedHoles, "holes \(holes), expected \(expectedHoles)")
        try checkCounts(expected, expectedHoles)
        try checkSnapshot(expected, expectedHoles)
    }

    private func checkCounts(
        _ entries: [OracleEntry], _ holes: [ClosedRange<UInt64>]
    ) throws(Mismatch) {
        var free: UInt128 = 0
        for hole in holes { free += UInt128(hole.upperBound - hole.lowerBound) + 1 }
        let most = UInt128(UInt64.max)
        try require(
            space.freeByteCount == UInt64(min(free, most)),
            "\(space.freeByteCount) free, expected \(free)")
        var used: UInt128 = 0
        for case let entry in entries {
            if case .region = entry.kind { used += UInt128(entry.last - entry.first) + 1 }
        }
        try require(
            space.usedByteCount == UInt64(min(used, most)),
            "\(space.usedByteCount) used, expected \(used)")
        try require(space.regionCount == live.count, "\(space.regionCount) regions")
    }

    /// Look-ups by address, by range and by handle, at and around `address`.
    func checkLookups(at address: UInt64, upTo other: UInt64) throws(Mismatch) {
        let address = min(max(address, oracle.span.lowerBound), oracle.span.upperBound)
        let found = space.entry(containing: IOVA(address)).map { clipped($0) }
        try require(
            found == oracle.entry(containing: address),
            "look-up of \(IOVA(address)): \(String(describing: found))")
        let other = min(max(other, oracle.span.lowerBound), oracle.span.upperBound)
        let range = min(address, other)...max(address, other)
        let overlap = space.firstOverlap(IOVARange(range)).map { clipped($0) }
        let expected = oracle.entries(meeting: range)
        try require(
            overlap == expected.first,
            "overlap with \(IOVARange(range)): \(String(describing: overlap))")
        var walked: [OracleEntry] = []
        space.forEachEntry(overlapping: IOVARange(range)) { walked.append(clipped($0)) }
        try require(walked == expected, "walk over \(IOVARange(range)): \(walked)")
        try checkSpans(overlapping: IOVARange(range))
    }

    /// Live handles lead to their ranges, stale ones nowhere.
    func checkHandles() throws(Mismatch) {
        for allocation in live {
            let entry = space.entry(allocation.handle)
            try require(
                entry?.range == allocation.range && entry?.kind == .region,
                "handle of \(allocation.range): \(String(describing: entry))")
        }
        for allocation in quarantined {
            try require(
                space.entry(allocation.handle)?.kind == .quarantined, "\(allocation.range)")
        }
        for handle in stale {
            try require(space.entry(handle) == nil, "a stale handle leads somewhere")
        }
    }

    func checkLargestHole(_ alignment: UInt64) throws(Mismatch) {
        let found = space.largestHole(alignment: alignment)
        // Below the granule nothing starts anyway.
        let expected = largestHole(max(alignment, granule))
        try require(
            found == expected, "largest hole at \(alignment): \(found), expected \(expected)")
    }
}
