internal import HostMemory

// A placement that the caller chose may lie where a region still is that the same batch frees: it
// makes way, and the batch unmaps it before it maps what comes.

/// An extent that has left the space before its unmap, so that its range can be placed anew.
struct YieldedExtent {
    /// One entry of the space, as it was.
    struct Piece {
        let handle: IOVAHandle
        let range: IOVARange
        /// A region of it that was freed before, while the others kept the extent.
        let isQuarantined: Bool
    }

    let extent: Extent
    let pieces: [Piece]
    /// The regions in it that the batch frees.
    let regions: [RegionID]
}

extension YieldedExtent {
    func overlaps(_ other: Extent) -> Bool {
        pieces.contains { $0.range.overlaps(other.range) }
    }
}

extension DomainState {
    /// What a placement meets that the space refuses.
    enum Obstacle {
        /// All of it was freed by this batch, and has made way.
        case madeWay
        /// Quarantine, or a shared extent that nobody uses: a flush removes it. It never makes
        /// way within a batch, since nothing in quarantine is reused before a BATCH_END.
        case idle
        case inUse
    }

    /// Takes everything in `range` out of the space, if this batch has freed all of it.
    ///
    /// A shared extent does not make way: other regions are carved from it until the batch is done.
    mutating func yieldFreed(
        in range: IOVARange, _ transaction: inout MapTransaction
    ) -> Obstacle {
        var freed: [Extent] = []
        var obstacle = Obstacle.madeWay
        space.forEachEntry(overlapping: range) { entry in
            if case .reserved = entry.kind { return }
            guard let extent = entry.handle.flatMap({ extent($0) }) else {
                obstacle = .inUse
                return
            }
            if extent.isInQuarantine || extent.carver != nil && extent.liveRegions == 0 {
                if obstacle == .madeWay { obstacle = .idle }
            } else if extent.carver != nil || extent.liveRegions != extent.pendingFrees {
                obstacle = .inUse
            } else if !freed.contains(where: { $0 === extent }) {
                freed.append(extent)
            }
        }
        guard obstacle == .madeWay, !freed.isEmpty else {
            return obstacle == .madeWay ? .inUse : obstacle
        }
        for extent in freed { yield(extent, &transaction) }
        return .madeWay
    }

    private mutating func yield(_ extent: Extent, _ transaction: inout MapTransaction) {
        let freed = transaction.freed.filter { id in
            regions.record(id).map { self.extent(of: $0) === extent } ?? false
        }
        transaction.freed.removeAll { freed.contains($0) }
        let pieces = extent.handles.map { handle in
            guard let entry = space.entry(handle) else {
                preconditionFailure("an extent without its entry")
            }
            return YieldedExtent.Piece(
                handle: handle, range: entry.range, isQuarantined: entry.kind == .quarantined)
        }
        for handle in extent.handles { forget(handle) }
        extent.replaceHandles([])
        transaction.retiring.removeAll { $0 === extent }
        transaction.yielded.append(
            YieldedExtent(extent: extent, pieces: pieces, regions: freed))
    }

    /// Puts back what made way: its ranges are free again, since everything that was placed later
    /// has gone.
    mutating func takeBackYielded(_ transaction: MapTransaction) {
        for yielded in transaction.yielded.reversed() {
            let extent = yielded.extent
            var handles: [IOVAHandle] = []
            for piece in yielded.pieces {
                unwind {
                    let placed = try space.allocate(
                        byteCount: piece.range.last.rawValue - piece.range.first.rawValue + 1,
                        placement: .fixed(piece.range.first, overReservations: true))
                    if piece.isQuarantined { try space.quarantine(placed.handle) }
                    setExtent(extent, for: placed.handle)
                    handles.append(placed.handle)
                }
            }
            extent.replaceHandles(handles)
            for id in yielded.regions { restore(id, yielded, handles) }
        }
    }

    private mutating func restore(
        _ id: RegionID, _ yielded: YieldedExtent, _ handles: [IOVAHandle]
    ) {
        regions.update(id) { record in
            record.state = .live
            if let index = yielded.pieces.firstIndex(where: { $0.handle == record.handle }) {
                record.handle = handles[index]
            }
            record.extentSlot = handles[0].slot
        }
        yielded.extent.pendingFrees -= 1
    }

    /// Ends the regions of what made way.
    mutating func releaseYielded(_ transaction: MapTransaction) {
        for yielded in transaction.yielded {
            for id in yielded.regions {
                liveRegionCount -= 1
                liveRegionBytes -= regions.record(id)?.byteCount ?? 0
                yielded.extent.liveRegions -= 1
                yielded.extent.pendingFrees -= 1
                regions.give(id)
            }
        }
    }
}
