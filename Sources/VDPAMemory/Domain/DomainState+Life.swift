internal import VhostVDPA

extension DomainState {
    /// Whether something is mapped that no region lives in.
    var holdsUnused: Bool {
        !quarantine.isEmpty
            || extentOfSlot.contains { $0.map { $0.carver != nil && $0.liveRegions == 0 } ?? false }
    }

    /// Unmaps quarantine, and shared extents in which nothing lives.
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
        forget(all)
        return all
    }

    /// After the last unmap: no region has a name, no figure a value.
    private mutating func forget(_ all: [Extent]) {
        var named: [RegionID] = []
        // A pending one belongs to a batch that is still being collected, which gives it back.
        regions.forEach { id, record in if record.state == .live { named.append(id) } }
        for id in named { regions.give(id) }
        for target in targets { target.forgetMappings() }
        for extent in all {
            for handle in extent.handles { forget(handle) }
        }
        extentOfSlot = []
        quarantine = []
        quarantinedBytes = 0
        carvers = []
        counters.lostExtents = 0
    }

    /// Takes a range out of the space, live or in quarantine.
    mutating func forget(_ handle: IOVAHandle) {
        setExtent(nil, for: handle)
        if space.entry(handle)?.kind == .quarantined {
            unwind { try space.releaseQuarantined(handle) }
        } else {
            unwind { try space.free(handle) }
        }
    }
}
