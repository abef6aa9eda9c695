internal import HostMemory

// What was freed and is not yet confirmed unmapped: memory and IOVA both, never reused before.

extension DomainState {
    /// Decides which of what is dead is unmapped by the transaction, and which waits.
    func sortDead(_ transaction: inout MapTransaction, canWait: Bool) {
        let madeWay = transaction.yielded.map(\.extent)
        guard !isHeldByQueues(targets) else {
            transaction.unmapped = madeWay
            transaction.deferred = transaction.retiring
            return
        }
        guard canWait, case .deferred(let maximumBytes, let maximumExtents, _) = options.unmapping
        else {
            transaction.unmapped = madeWay + transaction.retiring
            return
        }
        let waiting = transaction.retiring.reduce(quarantinedBytes) { $0 + $1.byteCount }
        let count = quarantine.count + transaction.retiring.count
        if waiting > maximumBytes || count > maximumExtents || isQuarantineOverdue {
            transaction.unmapped = madeWay + quarantine + transaction.retiring
        } else {
            transaction.unmapped = madeWay
            transaction.deferred = transaction.retiring
        }
    }

    /// Whether something has waited for longer than the options allow.
    private var isQuarantineOverdue: Bool {
        guard case .deferred(_, _, let maximumAge?) = options.unmapping,
            let oldest = quarantine.first?.quarantinedAt
        else { return false }
        return options.clock() &- oldest > maximumAge.nanoseconds
    }

    /// The last come waits longest: extents are in the order of their times.
    mutating func enqueue(_ extent: Extent) {
        extent.quarantinedAt = options.clock()
        quarantine.append(extent)
        quarantinedBytes += extent.byteCount
        if options.detectsWritesAfterFree { DeadMemoryPattern.fill(extent) }
        note(.quarantined(extent.range))
    }

    /// Once no device can reach it any more.
    mutating func examine(_ extent: Extent) {
        guard options.detectsWritesAfterFree,
            let address = DeadMemoryPattern.firstWrite(in: extent)
        else { return }
        counters.writesAfterFree += 1
        note(.writtenAfterFree(address))
    }

    /// Takes extents out of quarantine in one pass.
    ///
    /// - Returns: those that were there.
    mutating func dequeue(_ gone: Set<ObjectIdentifier>) -> Set<ObjectIdentifier> {
        guard !quarantine.isEmpty, !gone.isEmpty else { return [] }
        var found = Set<ObjectIdentifier>()
        var left: [Extent] = []
        var bytes: UInt64 = 0
        for extent in quarantine {
            guard gone.contains(ObjectIdentifier(extent)) else {
                left.append(extent)
                continue
            }
            found.insert(ObjectIdentifier(extent))
            quarantinedBytes -= extent.byteCount
            bytes += extent.byteCount
            examine(extent)
        }
        quarantine = left
        if !found.isEmpty { note(.flushed(extentCount: found.count, byteCount: bytes)) }
        return found
    }

    /// Frees a region without a message: its extent, if it was the last in it, waits in quarantine.
    /// A region that holds an enabled ring lives on under its ID, without an owner.
    mutating func abandon(_ id: RegionID) {
        guard !isClosed, regions.record(id)?.state == .live else { return }
        counters.failedFrees += 1
        var transaction = MapTransaction()
        do throws(DMAError) {
            try plan(.free([id], FreeRight(byOwner: true)), 0, &transaction)
        } catch {
            return regions.update(id) { $0.isOwned = false }
        }
        transaction.deferred = transaction.retiring
        _ = publish(transaction)
    }

    /// Unmaps everything in quarantine in one batch.
    mutating func flush() throws(DMAError) -> [Extent] {
        guard !quarantine.isEmpty else { return [] }
        counters.flushes += 1
        return try unmapNow(quarantine)
    }

    /// Unmaps what has waited for at least `age` nanoseconds, in one batch.
    mutating func flush(olderThan age: UInt64) throws(DMAError) -> [Extent] {
        let now = options.clock()
        let overdue = quarantine.filter { extent in
            extent.quarantinedAt.map { now &- $0 >= age } ?? false
        }
        guard !overdue.isEmpty else { return [] }
        counters.flushes += 1
        return try unmapNow(overdue)
    }

    /// Unmaps extents that no region lives in.
    ///
    /// Not while an undo is unrepaired: an extent in quarantine may lie over one that is back in
    /// its place, and would take that along.
    mutating func unmapNow(_ extents: [Extent]) throws(DMAError) -> [Extent] {
        try requireRepaired()
        var transaction = MapTransaction()
        transaction.unmapped = extents
        try send(transaction.messages(unmapFirst: true), &transaction)
        return publish(transaction)
    }

    /// What was in quarantine has been unmapped by other means.
    mutating func releaseQuarantine() -> [Extent] {
        var transaction = MapTransaction()
        transaction.unmapped = quarantine
        return publish(transaction)
    }
}

extension Duration {
    /// Saturated: nothing waits for 500 years.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = whole.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
        return overflow || carry ? .max : sum
    }
}
