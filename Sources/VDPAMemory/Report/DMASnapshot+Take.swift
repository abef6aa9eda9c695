internal import HostMemory
internal import IOVAAllocator
internal import Synchronization

extension DMADomain {
    /// Everything that the domain holds now, range by range: one consistent look.
    ///
    /// - Complexity: O(n log n) in extents, regions and holes, under the domain's lock: for a look
    ///   now and then, not for every second of a datapath that maps. No system call. In a forked
    ///   child, which may not wait for the lock, it is empty.
    public func snapshot() -> DMASnapshot {
        look(inChild: DMASnapshot(range: DMASnapshot.Span(.all))) { state in state.snapshot() }
    }
}

extension DomainState {
    fileprivate func snapshot() -> DMASnapshot {
        var snapshot = DMASnapshot(range: DMASnapshot.Span(range))
        snapshot.addressSpaces = targets.map {
            DMASnapshot.AddressSpace($0, mayLack: needsRemap || counters.lostExtents > 0)
        }
        let known = (liveExtents() + quarantine).sorted { $0.range.first < $1.range.first }
        var indexes: [ObjectIdentifier: Int] = [:]
        let now = options.clock()
        for (index, extent) in known.enumerated() {
            indexes[ObjectIdentifier(extent)] = index
            snapshot.extents.append(describe(extent, now))
        }
        snapshot.regions = regionsInOrder(indexes)
        space.forEachSpan(overlapping: range) { span, entry in
            guard let inside = span.intersection(range) else { return }
            switch entry?.kind {
            case nil: snapshot.holes.append(DMASnapshot.Span(inside))
            case .reserved(let policy):
                let span = DMASnapshot.Span(inside)
                snapshot.reservations.append(
                    DMASnapshot.Reservation(
                        first: span.first, last: span.last, isGuarded: policy == .guarded))
            case .region, .quarantined, .guardGap, .unusable: break
            }
        }
        snapshot.tags = usageByTag().map {
            DMASnapshot.TagUsage(
                tag: $0.tag.text, regions: $0.regions, byteCount: $0.byteCount)
        }
        return snapshot
    }

    private func describe(_ extent: Extent, _ now: UInt64) -> DMASnapshot.Extent {
        let span = DMASnapshot.Span(extent.range)
        let taken = extent.handles.last.flatMap { space.entry($0)?.range.last }
        let kind: DMASnapshot.Kind =
            extent.memory == nil ? .registered : extent.carver == nil ? .dedicated : .shared
        return DMASnapshot.Extent(
            first: span.first, last: span.last,
            guardBytes: taken.flatMap { $0.offset(from: extent.range.last) } ?? 0,
            kind: kind, access: DMASnapshot.Access(extent.access),
            quarantinedNanoseconds: extent.quarantinedAt.map { now &- $0 },
            pages: extent.memory.map { DMASnapshot.Pages($0.memory.pageSize) },
            nodes: extent.memory.map { nodes($0.memory.placement) } ?? [],
            regions: extent.liveRegions)
    }

    private func nodes(_ placement: NodePlacement) -> [DMASnapshot.NodePages] {
        placement.pagesByNode.sorted { $0.key < $1.key }.map {
            DMASnapshot.NodePages(node: $0.key, pages: $0.value)
        }
    }

    private func regionsInOrder(_ indexes: [ObjectIdentifier: Int]) -> [DMASnapshot.Region] {
        var found: [DMASnapshot.Region] = []
        found.reserveCapacity(liveRegionCount)
        var texts: [RegionTag: String] = [:]
        regions.visit { _, record in
            guard record.state != .pending,
                let index = indexes[ObjectIdentifier(extent(of: record))]
            else { return }
            let text = texts[record.tag] ?? record.tag.text
            texts[record.tag] = text
            let span = DMASnapshot.Span(record.range)
            found.append(
                DMASnapshot.Region(
                    first: span.first, last: span.last, extent: index, tag: text,
                    isOwned: record.isOwned))
        }
        return found.sorted { $0.first < $1.first }
    }
}

extension DMASnapshot.AddressSpace {
    /// - Parameter mayLack: whether an undo failed, so that mappings may be missing.
    init(_ target: MappingTarget, mayLack: Bool) {
        device = target.device.name
        addressSpace = target.addressSpace
        deviceRange = DMASnapshot.Span(target.device.iovaRange)
        numaNode = target.device.numaNode
        pinsMemory = target.device.pinsMemory
        pinnedBytes = target.pinnedBytes
        entriesAtLeast = target.entries.lower
        entriesAtMost = target.entries.upper
        entryLimit = target.device.entryLimit
        needsRemap = mayLack || target.isTableLost
    }
}

extension DMASnapshot.Access {
    init(_ access: DMAAccess) {
        switch access {
        case .readOnly: self = .readOnly
        case .writeOnly: self = .writeOnly
        case .readWrite: self = .readWrite
        }
    }
}

extension DMASnapshot.Pages {
    init(_ size: PageSize) {
        switch size {
        case .size4KiB: self = .size4KiB
        case .transparent2MiB: self = .transparent2MiB
        case .size2MiB: self = .size2MiB
        case .size1GiB: self = .size1GiB
        }
    }
}
