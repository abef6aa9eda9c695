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
        for target in targets {
            do throws(VhostError) {
                try target.rebuild(live: live, gone: quarantine)
            } catch {
                throw DMAError(error)
            }
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
