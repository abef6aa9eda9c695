internal import VhostVDPA

extension DomainState {
    /// Unmaps shared extents in which nothing lives.
    mutating func trim() throws(DMAError) -> [Extent] {
        try requireOpen()
        var released = try flush()
        let empty = emptyExtents()
        if !empty.isEmpty { released += try unmapNow(empty) }
        return released
    }

    /// Shared extents that are kept for reuse.
    func emptyExtents() -> [Extent] {
        liveExtents().filter { $0.carver != nil && $0.liveRegions == 0 }
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
            var lost = UInt64(failures.reduce(0) { $0 + $1.lost.count })
            if failures.contains(where: \.hasTouchedNothing) {
                lost = max(lost, counters.lostExtents)
            }
            counters.lostExtents = lost
            throw DMAError(first.cause).withIncompleteRemap(lost)
        }
        counters.lostExtents = 0
        needsRemap = false
        note(.remapped)
        return releaseQuarantine()
    }

    /// The last call: unmaps everything.
    ///
    /// - Returns: each target with what was mapped in it; none where the domain was closed before.
    mutating func close() -> [ClosedTarget] {
        guard !isClosed else { return [] }
        isClosed = true
        let all = liveExtents() + quarantine
        var closed: [ClosedTarget] = []
        for target in targets {
            let failure = target.revert(all.map { MapMessage.map($0) })
            closed.append(
                ClosedTarget(
                    device: target.device, addressSpace: target.addressSpace, extents: all,
                    isUnmapped: failure == nil))
        }
        for extent in quarantine { examine(extent) }
        for extent in all { note(.unmapped(extent.range)) }
        forget(all)
        return closed
    }

    /// After the last unmap: no region has a name, no figure a value.
    private mutating func forget(_ all: [Extent]) {
        var named: [RegionID] = []
        // A pending one belongs to a batch that is still being collected, which gives it back.
        regions.visit { id, record in if record.state == .live { named.append(id) } }
        untranslateAll(all)
        translation = nil
        for id in named { regions.give(id) }
        for target in targets { target.forgetMappings() }
        release(afterUnlock: all)
        for extent in all {
            for handle in extent.handles { forget(handle) }
        }
        liveRegionCount = 0
        liveRegionBytes = 0
        extentOfSlot = []
        quarantine = []
        quarantinedBytes = 0
        // An extent keeps its carver; a carver must not keep it in turn.
        for carver in carvers { carver.recentExtent = nil }
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

/// What a closed domain leaves in one address space.
struct ClosedTarget {
    let device: VDPADevice
    let addressSpace: UInt32
    let extents: [Extent]
    /// Whether the device has confirmed that it lets go. Else the memory must not be given back
    /// before the device's file is closed, with which the kernel unmaps everything.
    let isUnmapped: Bool
}

extension DMAError {
    fileprivate func withIncompleteRemap(_ lost: UInt64) -> DMAError {
        DMAError(
            .undoIncomplete,
            message + " \(lost) mappings may be missing on the device; quarantine is kept.",
            remedy: "Remove the cause, and call remap() again before the device runs.",
            errno: kernelErrno)
    }
}
