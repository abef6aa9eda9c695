internal import Glibc
internal import HostMemory

// Planning: everything is placed in the space and nothing is sent.

extension DomainState {
    /// - Parameter number: of the operation, or of the first of a run, for errors.
    mutating func plan(
        _ operation: BatchOperation, _ number: Int, _ transaction: inout MapTransaction
    ) throws(DMAError) {
        var number = number
        do throws(DMAError) {
            switch operation {
            case .allocate(let id, let byteCount, let wanted, let memory):
                try planDedicated(id, byteCount, wanted.options, memory, &transaction)
            case .carve(let run):
                try planCarved(run, &number, &transaction)
            case .register(let id, let memory, let placement, let access, let isolation):
                try planRegistered(id, memory, placement, access, isolation, &transaction)
            case .free(let ids, let right):
                for id in ids {
                    try planFree(id, right, &transaction)
                    number += 1
                }
            case .nothing: break
            }
        } catch {
            throw error.inOperation(number)
        }
    }

    // MARK: a mapping of its own

    mutating func planDedicated(
        _ id: RegionID, _ byteCount: UInt64, _ wanted: AllocationOptions, _ memory: MemoryBox,
        _ transaction: inout MapTransaction
    ) throws(DMAError) {
        // Safe: the address is only a number here; the extent keeps the memory alive.
        let address = unsafe UInt(bitPattern: memory.memory.baseAddress)
        // A place that the caller chose is exactly as large as asked, whatever pages could be had:
        // its neighbours may be taken. Elsewhere the last large page is mapped as a whole.
        var size = wanted.placement.isChosen ? byteCount : UInt64(memory.memory.byteCount)
        let pageSize = UInt64(memory.memory.pageSize.byteCount)
        let placed: IOVAAllocation
        do throws(DMAError) {
            placed = try place(
                size, address: address, placement: wanted.placement, alignment: wanted.alignment,
                largePage: pageSize, &transaction)
        } catch  where error.code == .noSpace && size > byteCount {
            size = byteCount
            placed = try place(
                size, address: address, placement: wanted.placement, alignment: wanted.alignment,
                largePage: pageSize, &transaction)
        }
        let extent = Extent(
            range: placed.range, address: address, access: wanted.access, memory: memory,
            carver: nil, handle: placed.handle,
            entries: entries(byteCount: size, pageSize: pageSize, areas: 1),
            isJoinable: false)
        adopt(extent, placed.handle, &transaction)
        record(
            id,
            IOVARange(
                first: placed.range.first.rawValue,
                last: placed.range.first.rawValue + (byteCount - 1)),
            address: address, placed.handle, extent, isCarved: false, &transaction)
    }

    private mutating func planRegistered(
        _ id: RegionID, _ memory: ExternalRange, _ placement: Placement, _ access: DMAAccess,
        _ isolation: Isolation, _ transaction: inout MapTransaction
    ) throws(DMAError) {
        let largePage: UInt64 = memory.byteCount >= 2 << 20 ? 2 << 20 : 4096
        let placed = try place(
            memory.byteCount, address: memory.address, placement: placement, alignment: 4096,
            largePage: largePage, &transaction)
        let extent = Extent(
            range: placed.range, address: memory.address, access: access, memory: nil,
            carver: nil, handle: placed.handle,
            entries: entries(
                byteCount: memory.byteCount, pageSize: 4096, areas: memory.areaCount),
            isJoinable: isolation == .shared)
        adopt(extent, placed.handle, &transaction)
        record(
            id, placed.range, address: memory.address, placed.handle, extent, isCarved: false,
            &transaction)
    }

    /// Finds the place: with IOVA and address alike modulo the large page where that is possible,
    /// so that the IOMMU can use large pages, and in any aligned hole otherwise.
    mutating func place(
        _ byteCount: UInt64, address: UInt, placement: Placement, alignment: UInt64,
        largePage: UInt64, _ transaction: inout MapTransaction
    ) throws(DMAError) -> IOVAAllocation {
        switch placement {
        case .anywhere:
            return try place(byteCount, address, .anywhere(), alignment, largePage)
        case .within(let window):
            return try place(byteCount, address, .within(window), alignment, largePage)
        case .fixed(let iova, let deliberately):
            return try place(
                byteCount, at: iova, overReservations: deliberately, &transaction)
        case .identity:
            return try place(
                byteCount, at: IOVA(UInt64(address)), overReservations: false, &transaction)
        }
    }

    /// Where the caller said; what is dead there makes way.
    private mutating func place(
        _ byteCount: UInt64, at first: IOVA, overReservations: Bool,
        _ transaction: inout MapTransaction
    ) throws(DMAError) -> IOVAAllocation {
        let placement = IOVAPlacement.fixed(first, overReservations: overReservations)
        var obstacle = Obstacle.inUse
        do throws(IOVASpaceError) {
            do throws(IOVASpaceError) {
                return try space.allocate(byteCount: byteCount, placement: placement)
            } catch .overlap(let range, with: let met) {
                obstacle = yieldFreed(in: range, &transaction)
                guard obstacle == .madeWay else { throw .overlap(range, with: met) }
                return try space.allocate(byteCount: byteCount, placement: placement)
            }
        } catch {
            var error = DMAError(error)
            error.isEasedByFlush = obstacle == .idle
            throw error
        }
    }

    private mutating func place(
        _ byteCount: UInt64, _ address: UInt, _ placement: IOVAPlacement, _ alignment: UInt64,
        _ largePage: UInt64
    ) throws(DMAError) -> IOVAAllocation {
        let congruence = UInt64(address) & (largePage - 1)
        do throws(IOVASpaceError) {
            do throws(IOVASpaceError) {
                // A larger alignment than the page's speaks for itself.
                let isStronger = alignment >= largePage && congruence == 0
                return try space.allocate(
                    byteCount: byteCount, alignment: isStronger ? alignment : largePage,
                    placement: placement, congruentTo: isStronger ? 0 : congruence)
            } catch .noSpace where largePage > alignment {
                return try space.allocate(
                    byteCount: byteCount, alignment: alignment, placement: placement)
            }
        } catch {
            throw DMAError(error)
        }
    }

    func entries(byteCount: UInt64, pageSize: UInt64, areas: Int) -> ExtentEntries {
        let pages = byteCount / pageSize + (byteCount % pageSize == 0 ? 0 : 1)
        return ExtentEntries(pageCount: Int(clamping: pages), areaCount: areas)
    }

    // MARK: freeing

    private mutating func planFree(
        _ id: RegionID, _ right: FreeRight, _ transaction: inout MapTransaction
    ) throws(DMAError) {
        guard let record = regions.record(id), record.state == .live else {
            throw DMAError.noSuchRegion
        }
        guard right.byOwner || !record.isOwned else { throw DMAError.owned }
        if !right.force { try requireNoRing(in: record.range) }
        regions.update(id) { $0.state = .freeing }
        transaction.freed.append(id)
        let extent = extent(of: record)
        extent.pendingFrees += 1
        guard extent.pendingFrees == extent.liveRegions else { return }
        if let carver = extent.carver,
            !carver.releasesWhenEmpty(extent, retiring: transaction.retiring)
        {
            return
        }
        transaction.retiring.append(extent)
    }

    /// The device uses an enabled ring at any moment, and the next region would lie under it.
    mutating func requireNoRing(in range: IOVARange) throws(DMAError) {
        for target in targets {
            guard let ring = target.ring(overlapping: range) else { continue }
            throw DMAError(
                .unsafeControl, "The region \(range) holds part of an enabled ring at \(ring).",
                remedy: "Disable the queue or reset the device first, or free it with `force`.",
                meaning: EBUSY, range: ring)
        }
    }

    // MARK: bookkeeping

    mutating func adopt(
        _ extent: Extent, _ handle: IOVAHandle, _ transaction: inout MapTransaction
    ) {
        setExtent(extent, for: handle)
        transaction.newExtents.append(extent)
    }

    mutating func record(
        _ id: RegionID, _ range: IOVARange, address: UInt, _ handle: IOVAHandle,
        _ extent: Extent, isCarved: Bool, _ transaction: inout MapTransaction
    ) {
        extent.liveRegions += 1
        if isCarved { extent.carvedBytes += range.last.rawValue - range.first.rawValue + 1 }
        transaction.placed.append(id)
        regions.update(id) { record in
            record.access = extent.access
            record.isCarved = isCarved
            record.first = range.first.rawValue
            record.byteCount = range.last.rawValue - range.first.rawValue + 1
            record.address = address
            record.handle = handle
            record.extentSlot = extent.handles[0].slot
        }
    }
}

extension DMAError {
    /// A pool that uses the region would hand out somebody else's addresses.
    static var owned: DMAError {
        DMAError(
            .invalidArgument, "A DMARegion owns this region.",
            remedy: "Free it through its owner, or `relinquish()` it first.")
    }

    static let noSuchRegionRemedy = "Use an ID until its region is freed, once."

    static var noSuchRegion: DMAError {
        DMAError(
            .noSuchRegion, "No live region of this domain has this ID.",
            remedy: noSuchRegionRemedy)
    }
}

/// Takes back a step of a plan. It undoes what was just done under the same lock, so that it
/// cannot be refused.
func unwind<Result>(_ body: () throws -> Result) {
    do {
        _ = try body()
    } catch {
        preconditionFailure("undoing a step that was just made: \(error)")
    }
}
