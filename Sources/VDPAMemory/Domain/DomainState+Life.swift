internal import VhostVDPA

extension DomainState {
    /// Unmaps shared extents in which nothing lives.
    mutating func trim() throws(DMAError) -> [Extent] {
        try requireOpen()
        var released = try flush()
        let empty = liveExtents().filter { $0.carver != nil && $0.liveRegions == 0 }
        if !empty.isEmpty { released += try unmapNow(empty) }
        return released
    }

    /// Every known mapping goes and the live ones come back, on every target.
    mutating func remap() throws(DMAError) -> [Extent] {
        try requireOpen()
        let live = liveExtents()
        var failures: [TargetFailure] = []
        for target in targets {
            if let failure = target.rebuild(live: live, gone: quarantine) {
                failures.append(failure)
            }
        }
        if let first = failures.first {
            let lost = failures.reduce(0) { $0 + $1.lost.count }
            counters.lostExtents = UInt64(lost)
            throw DMAError(first.cause).withIncompleteRemap(lost)
        }
        counters.lostExtents = 0
        return releaseQuarantine()
    }

    /// The last call: unmaps everything, however the device answers.
    ///
    /// - Returns: what is to be released; nil where the domain was closed before.
    mutating func close() -> [Extent]? {
        guard !isClosed else { return nil }
        isClosed = true
        let all = liveExtents() + quarantine
        for target in targets {
            // A refusal changes nothing here: the file closes next, and the kernel unmaps all.
            _ = target.revert(all.map { MapMessage.map($0) })
        }
        extentOfSlot = []
        quarantine = []
        carvers = []
        return all
    }
}

extension DMAError {
    fileprivate func withIncompleteRemap(_ lost: Int) -> DMAError {
        DMAError(
            .undoIncomplete,
            message + " \(lost) mappings may be missing on the device; quarantine is kept.",
            remedy: "Remove the cause, and call remap() again before the device runs.",
            errno: errno)
    }
}
