internal import HostMemory
internal import VhostVDPA

extension DomainState {
    /// Does all of `operations`, or nothing of them.
    ///
    /// Where space or a budget is short, what waits in quarantine and what is kept for reuse goes
    /// first, and then shared extents are made no larger than they must.
    ///
    /// - Returns: what is to be released outside the lock, since memory is unmapped there; or what
    ///   memory is to be had first, outside the lock too.
    mutating func commit(
        _ operations: [BatchOperation], _ supply: ExtentSupply
    ) throws(DMAError) -> CommitAnswer {
        do throws(DMAError) {
            let released = try makeRoomAndCommit(operations, supply)
            counters.batches += 1
            return .done(released)
        } catch {
            if var need = extentNeed.take() {
                need.operationIndex = error.operationIndex
                return .needsMemory(need)
            }
            countRefused(error)
            throw error
        }
    }

    mutating func countRefused(_ error: DMAError) {
        counters.batches += 1
        counters.failedBatches += 1
        if error.isShortage {
            note(.refused(error.code, needed: error.needed, limit: error.limit))
        }
    }

    private mutating func makeRoomAndCommit(
        _ operations: [BatchOperation], _ supply: ExtentSupply
    ) throws(DMAError) -> [Extent] {
        var shortage: DMAError
        do throws(DMAError) {
            return try attempt(operations, supply)
        } catch  where error.isShortage && extentNeed == nil {
            shortage = error
        }
        var released: [Extent] = []
        let idle = quarantine + emptyExtents()
        if !idle.isEmpty {
            counters.flushes += 1
            released = try unmapNow(idle)
        }
        if !idle.isEmpty || operations.contains(where: \.isFree) {
            do throws(DMAError) {
                return released + (try attempt(operations, supply, makesRoom: true))
            } catch  where error.isShortage && extentNeed == nil {
                shortage = error
            }
        }
        guard shortage.isEasedBySmallExtents, operations.contains(where: \.isCarved) else {
            throw shortage
        }
        return released + (try attempt(operations, supply, makesRoom: true, isTight: true))
    }

    /// - Parameters:
    ///   - makesRoom: whether what the batch frees is unmapped at once, and first.
    ///   - isTight: whether shared extents are made no larger than they must.
    private mutating func attempt(
        _ operations: [BatchOperation], _ supply: ExtentSupply, makesRoom: Bool = false,
        isTight: Bool = false
    ) throws(DMAError) -> [Extent] {
        var transaction = MapTransaction()
        transaction.supply = supply
        transaction.isTight = isTight
        do throws(DMAError) {
            try requireOpen()
            try requireRepaired()
            for case .carve(let run) in operations {
                transaction.carvedBytesToCome.add(run.byteCount, of: run.wanted)
            }
            transaction.reserveCapacity(for: operations)
            var number = 0
            for operation in operations {
                try plan(operation, number, &transaction)
                number += operation.count
            }
            // A later operation may have carved from an extent that an earlier one had emptied.
            transaction.retiring.removeAll { $0.pendingFrees != $0.liveRegions }
            joinNeighbours(&transaction)
            sortDead(&transaction, canWait: !makesRoom)
            let mustUnmapFirst =
                try check(transaction) || makesRoom || !transaction.yielded.isEmpty
            try prepareTranslation(transaction)
            try send(transaction.messages(unmapFirst: mustUnmapFirst), &transaction)
        } catch {
            abort(transaction)
            throw error
        }
        return publish(transaction)
    }

    mutating func requireOpen() throws(DMAError) {
        guard !isClosed else {
            throw DMAError(
                .closed, "The domain is closed.", remedy: "Make a new domain on the device.")
        }
    }

    /// What is in quarantine may lie over what lives: no INVALIDATE but `remap()`'s goes there.
    func requireRepaired() throws(DMAError) {
        guard !needsRemap else {
            throw DMAError(
                .undoIncomplete,
                "An earlier batch could not be taken back: what the device has mapped is not "
                    + "known where it placed memory anew.",
                remedy: "Call remap() first.")
        }
    }

    /// New extents that continue each other become one, mapped by one message.
    private mutating func joinNeighbours(_ transaction: inout MapTransaction) {
        guard transaction.newExtents.count > 1,
            transaction.newExtents.contains(where: \.isJoinable)
        else { return }
        var joined: [Extent] = []
        for extent in transaction.newExtents.sorted(by: { $0.range.first < $1.range.first }) {
            if let last = joined.last, last.canJoin(extent) {
                for handle in extent.handles { setExtent(last, for: handle) }
                last.join(extent)
            } else {
                joined.append(extent)
            }
        }
        transaction.newExtents = joined
    }

    // MARK: messages

    /// Tells every target, or none.
    mutating func send(
        _ messages: [MapMessage], _ transaction: inout MapTransaction
    ) throws(DMAError) {
        guard !messages.isEmpty else { return }
        try requireNoQueues(targets)
        for (index, target) in targets.enumerated() {
            do throws(TargetFailure) {
                try target.send(messages)
            } catch {
                var unconfirmed = error.stillMapped
                var lost = error.lost
                for earlier in targets[..<index].reversed() {
                    if let failure = earlier.revert(messages) {
                        unconfirmed += failure.stillMapped
                        lost += failure.lost
                    }
                }
                let refused = explain(error, target, transaction)
                guard unconfirmed.isEmpty, lost.isEmpty else {
                    keepUnconfirmed(unconfirmed, lost, &transaction)
                    throw refused.withIncompleteUndo(unconfirmed.count, lost.count)
                }
                throw refused
            }
        }
    }

    /// What may still be mapped must not be reused: its memory and IOVA go to quarantine.
    private mutating func keepUnconfirmed(
        _ unconfirmed: [Extent], _ lost: [Extent], _ transaction: inout MapTransaction
    ) {
        counters.lostExtents += UInt64(lost.count)
        var seen = Set<ObjectIdentifier>()
        for extent in unconfirmed where seen.insert(ObjectIdentifier(extent)).inserted {
            for target in targets { target.account(mapped: extent) }
            transaction.newExtents.removeAll { $0 === extent }
            retract(extent, from: transaction)
            if !transaction.yielded.isEmpty {
                // What made way goes back to its place, may cover this one's, and needs the entries
                // of the space that it had: this one keeps none, and nothing is placed before
                // `remap()`.
                for handle in extent.handles { forget(handle) }
                extent.replaceHandles([])
                needsRemap = true
            } else {
                for handle in extent.handles { unwind { try space.quarantine(handle) } }
            }
            enqueue(extent)
        }
    }

    // MARK: the end of a transaction

    /// Makes the transaction visible. Cannot fail.
    mutating func publish(_ transaction: MapTransaction) -> [Extent] {
        for carved in transaction.unclean {
            // Safe: inside the memory of a live extent, carved for a region nobody has seen yet.
            let bytes = unsafe UnsafeMutableRawBufferPointer(
                start: UnsafeMutableRawPointer(bitPattern: carved.address),
                count: carved.byteCount)
            unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
        }
        untranslate(transaction)
        for id in transaction.placed { setLive(id) }
        for extent in transaction.newExtents {
            if let memory = extent.memory {
                memory.publish()
                counters.populationNanoseconds += memory.populationNanoseconds
            }
            for target in targets { target.account(mapped: extent) }
            note(.mapped(extent.range))
        }
        let unmappedNow = Set(transaction.unmapped.map(ObjectIdentifier.init))
        releaseYielded(transaction)
        for id in transaction.freed { release(id) }
        for extent in transaction.deferred {
            withdraw(extent)
            if extent.carver != nil {
                for handle in extent.handles { unwind { try space.quarantine(handle) } }
            }
            enqueue(extent)
        }
        let waited = dequeue(unmappedNow)
        for extent in transaction.unmapped {
            bury(extent, hasWaited: waited.contains(ObjectIdentifier(extent)))
        }
        release(afterUnlock: transaction.unmapped)
        return transaction.unmapped
    }

    private mutating func setLive(_ id: RegionID) {
        regions.update(id) { record in
            record.state = .live
            liveRegionBytes += record.byteCount
        }
        liveRegionCount += 1
        if translation != nil, let record = regions.record(id) { translate(record) }
    }

    private mutating func release(_ id: RegionID) {
        guard let record = regions.record(id) else {
            preconditionFailure("a region that the batch has just found")
        }
        let extent = extent(of: record)
        extent.liveRegions -= 1
        extent.pendingFrees -= 1
        regions.give(id)
        liveRegionCount -= 1
        liveRegionBytes -= record.byteCount
        if let carver = extent.carver {
            carver.clean(record)
            unwind { try carver.space.free(record.handle) }
            extent.carvedBytes -= record.byteCount
        } else {
            // The range stays taken until its extent is unmapped.
            unwind { try space.quarantine(record.handle) }
        }
    }

    /// Takes an empty shared extent out of its carver's space.
    func withdraw(_ extent: Extent) {
        guard let carver = extent.carver else { return }
        unwind { try carver.space.withdrawUsable(extent.range) }
        translation?.reclaim(extent)
        if carver.recentExtent === extent { carver.recentExtent = nil }
        carver.growthLimit = Carver.largestExtent
        carver.extentBytes -= extent.byteCount
        carver.extentCount -= 1
    }

    /// An extent that every target has let go: its ranges are free again.
    private mutating func bury(_ extent: Extent, hasWaited: Bool) {
        for target in targets { target.account(unmapped: extent) }
        // What waits in quarantine has left its carver already.
        if !hasWaited { withdraw(extent) }
        note(.unmapped(extent.range))
        for handle in extent.handles { forget(handle) }
    }

    /// Takes back a plan: the space, the regions and the extents are as they were before.
    private mutating func abort(_ transaction: MapTransaction) {
        release(afterUnlock: transaction.newExtents)
        for id in transaction.freed {
            guard let record = regions.record(id) else { continue }
            regions.update(id) { $0.state = .live }
            extent(of: record).pendingFrees -= 1
        }
        for extent in transaction.newExtents.reversed() {
            retract(extent, from: transaction)
            for handle in extent.handles { forget(handle) }
        }
        // What is left was carved from extents that were there before.
        for id in transaction.placed {
            guard let record = regions.record(id), record.isCarved, record.byteCount > 0 else {
                continue
            }
            uncarve(id, record)
        }
        takeBackYielded(transaction)
    }

    /// Takes the planned regions out of a new extent, and the extent out of its carver's space.
    private mutating func retract(_ extent: Extent, from transaction: MapTransaction) {
        guard extent.carver != nil else { return }
        for id in transaction.placed {
            guard let record = regions.record(id), record.isCarved, record.byteCount > 0,
                self.extent(of: record) === extent
            else { continue }
            uncarve(id, record)
        }
        withdraw(extent)
    }

    private mutating func uncarve(_ id: RegionID, _ record: RegionRecord) {
        let extent = extent(of: record)
        unwind { try extent.carver?.space.free(record.handle) }
        extent.carvedBytes -= record.byteCount
        extent.liveRegions -= 1
        regions.update(id) { $0 = RegionRecord(tag: $0.tag) }
    }
}

extension DMAError {
    /// Whether giving back what is idle may help.
    var isShortage: Bool {
        switch code {
        // A range in quarantine holds one of the space's regions.
        case .noSpace, .regionCapacity, .entryLimit, .lockedMemoryLimit, .hostMemory: true
        default: isEasedByFlush
        }
    }

    /// Smaller extents take less memory, smaller holes and, where the memory is in pieces, fewer
    /// entries.
    fileprivate var isEasedBySmallExtents: Bool {
        switch code {
        case .noSpace, .entryLimit, .lockedMemoryLimit, .hostMemory: true
        default: false
        }
    }

    fileprivate func withIncompleteUndo(_ unconfirmed: Int, _ lost: Int) -> DMAError {
        var text = message + " Not all of the batch could be taken back:"
        if unconfirmed > 0 {
            text += " \(unconfirmed) new mappings may still exist and are in quarantine;"
        }
        if lost > 0 { text += " \(lost) old mappings may be missing on the device;" }
        return DMAError(
            .undoIncomplete, text, remedy: "Call remap(), or close the device.", errno: kernelErrno,
            range: range)
    }
}
