extension IOVASpace {
    /// What a correct space never shows, in words; nil where all invariants hold.
    ///
    /// For tests: it walks everything.
    /// - Complexity: O(n).
    public func invariantViolation() -> String? {
        if let problem = tree.invariantViolation() { return problem }
        var free: UInt64 = 0
        forEachHole { hole in free &+= hole.last.rawValue &- hole.first.rawValue &+ 1 }
        if free != freeBytes &+ cachedByteCount {
            return "\(free) free bytes, counted \(freeBytes) and \(cachedByteCount) cached"
        }
        if let problem = magazineViolation() { return problem }
        if tree.count + restoreDebt > tree.entryCapacity { return "frees may find no entries" }
        if restoreDebt != ownedDebt(in: .all) { return "frees are owed \(restoreDebt) entries" }
        var check = SpaceCheck()
        forEachEntry { entry in check.visit(entry, handles, reservations) }
        check.finish()
        if let problem = check.problem { return problem }
        if check.used != usedBytes &- lending.byteCount {
            return "\(check.used) used bytes, counted \(usedBytes), \(lending.byteCount) of it lent"
        }
        if check.quarantinedBytes != quarantinedBytes || check.guardBytes != guardBytes {
            return "bytes in quarantine or in gaps are miscounted"
        }
        if check.regions != regionCount || check.quarantined != quarantinedCount
            || check.gaps != guardGapCount
        {
            return "\(check.regions) regions, counted \(regionCount), or gaps, or in quarantine"
        }
        return nil
    }
}

/// What a walk over the entries has seen, and the last thing that was wrong.
private struct SpaceCheck {
    var used: UInt64 = 0
    var quarantinedBytes: UInt64 = 0
    var guardBytes: UInt64 = 0
    var regions = 0
    var quarantined = 0
    var gaps = 0
    var problem: String?
    private var previous: IOVAEntry?
    /// A gap before a region that has not come yet.
    private var isRegionDue = false

    mutating func visit(
        _ entry: IOVAEntry, _ handles: borrowing HandleTable, _ reservations: [Reservation]
    ) {
        let bytes = entry.range.last.rawValue &- entry.range.first.rawValue &+ 1
        let isNeighbour = previous.map { $0.range.isFollowed(by: entry.range) } ?? false
        let isSameOwner = isNeighbour && previous?.handle == entry.handle
        if isRegionDue, !isSameOwner || entry.kind == .guardGap {
            problem = "the gap before \(entry.range) guards nothing"
        }
        isRegionDue = false
        switch entry.kind {
        case .region:
            regions += 1
            used &+= bytes
        case .quarantined:
            quarantined += 1
            quarantinedBytes &+= bytes
        case .guardGap:
            gaps += 1
            guardBytes &+= bytes
            // Behind its region, or else the region follows.
            isRegionDue = !isSameOwner
        case .reserved(let policy):
            if reservations.count(overlapping: entry.range) == 0 {
                problem = "\(entry.range) is reserved for nobody"
            }
            if isNeighbour, previous?.kind == .reserved(policy) {
                problem = "\(entry.range) is cut from its like"
            }
        case .unusable:
            if isNeighbour, previous?.kind == .unusable {
                problem = "\(entry.range) is cut from its like"
            }
        }
        if let handle = entry.handle, entry.kind != .guardGap,
            handles.first(handle) != entry.range.first.rawValue
        {
            problem = "the handle of \(entry.range) leads elsewhere"
        }
        previous = entry
    }

    mutating func finish() {
        if isRegionDue { problem = "the last gap guards nothing" }
    }
}
