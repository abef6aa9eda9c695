internal import HostMemory
internal import VhostVDPA

// Budgets, before the first message: the kernel would answer EFAULT to all of them, half-way.

extension DomainState {
    /// Refuses what cannot fit.
    ///
    /// - Returns: whether unmaps must go first, to make room.
    func check(_ transaction: MapTransaction) throws(DMAError) -> Bool {
        var unmapFirst = false
        for target in targets {
            if try entriesNeedRoom(transaction, target) { unmapFirst = true }
            if try lockedMemoryNeedsRoom(transaction, target) { unmapFirst = true }
        }
        return unmapFirst
    }

    /// By the lower bound a request is refused; by the upper bound alone it is tried.
    func entriesNeedRoom(
        _ transaction: MapTransaction, _ target: MappingTarget
    ) throws(DMAError) -> Bool {
        guard let limit = target.device.entryLimit, !transaction.newExtents.isEmpty else {
            return false
        }
        let new = transaction.newEntries(target)
        let before = target.entries.lower
        let needed = before - transaction.unmappedEntries(target).lower + new.lower
        guard needed <= limit else {
            throw DMAError(
                .entryLimit,
                "\(target.device.name) would need at least \(needed) entries of the kernel's "
                    + "table in address space \(target.addressSpace), and it has \(limit).",
                remedy: EntryLimit.remedy, needed: UInt64(needed), limit: UInt64(limit))
        }
        return before + new.lower > limit
    }

    /// - Parameter copies: how often the new mappings are counted; nil for once in each target
    ///   whose device pins.
    func lockedMemoryNeedsRoom(
        _ transaction: MapTransaction, _ target: MappingTarget, copies: Int? = nil
    ) throws(DMAError) -> Bool {
        guard target.device.pinsMemory, !transaction.newExtents.isEmpty else { return false }
        var now = target.device.traits.lockedMemory()
        guard var limit = now.limit else { return false }
        // The process's figure counts every device, so other targets' shares are counted too.
        let sharers = UInt64(copies ?? targets.filter { $0.device.pinsMemory }.count)
        let new = transaction.newBytes * sharers
        let freed = min(now.pinned, transaction.unmappedBytes * sharers)
        let needed = now.pinned - freed + new
        if needed > limit, options.raisesLockedMemoryLimit {
            target.device.traits.raiseLockedMemoryLimit()
            now = target.device.traits.lockedMemory()
            guard let raised = now.limit else { return false }
            limit = raised
        }
        guard needed <= limit else {
            throw DMAError(
                .lockedMemoryLimit,
                "The process would have \(needed) bytes locked: \(now.pinned) now, \(new) more "
                    + "for this request; the limit is \(limit).",
                remedy: LockedMemory.remedy(needed), needed: needed, limit: limit)
        }
        return now.pinned + new > limit
    }

    // MARK: queues that run

    /// Whether the options forbid messages to these now.
    func isHeldByQueues(_ targets: [MappingTarget]) -> Bool {
        options.refusesMappingWhileQueuesEnabled
            && targets.contains { $0.device.withRecords { $0.hasEnabledQueues } }
    }

    /// - Throws: `queuesEnabled`.
    func requireNoQueues(_ targets: [MappingTarget]) throws(DMAError) {
        guard isHeldByQueues(targets) else { return }
        throw DMAError(
            .queuesEnabled,
            "A queue is enabled, and the domain's options refuse to map or unmap meanwhile.",
            remedy: "Map before the queues are enabled, or disable them or reset the device first.")
    }

    // MARK: what the kernel meant

    /// Puts a reason to the kernel's one word for every refusal, or says honestly that none of the
    /// known ones holds.
    func explain(
        _ failure: TargetFailure, _ target: MappingTarget, _ transaction: MapTransaction
    ) -> DMAError {
        var error = DMAError(failure.cause)
        guard failure.cause.code == .messageRefused, let extent = failure.extent else {
            return error
        }
        let name = target.device.name
        let now = target.device.pinsMemory ? target.device.traits.lockedMemory() : nil
        // By now the transaction has been taken back, so all of its bytes count as new.
        if let now, let limit = now.limit, now.pinned + transaction.newBytes > limit {
            error = DMAError(
                .lockedMemoryLimit,
                "\(name) refused \(extent.range): \(now.pinned) bytes are locked, "
                    + "\(transaction.newBytes) more were needed, and the limit is \(limit).",
                remedy: LockedMemory.remedy(now.pinned + transaction.newBytes),
                needed: now.pinned + transaction.newBytes, limit: limit)
        } else if let limit = target.device.entryLimit,
            target.entries.upper + transaction.newEntries(target).upper > limit
        {
            let lower = target.entries.lower + transaction.newEntries(target).lower
            let upper = target.entries.upper + transaction.newEntries(target).upper
            error = DMAError(
                .entryLimit,
                "\(name) refused \(extent.range). Its table has \(limit) entries, and the "
                    + "mappings need between \(lower) and \(upper): one for each run of "
                    + "physically contiguous pages.",
                remedy: EntryLimit.remedy, needed: UInt64(upper), limit: UInt64(limit))
        } else {
            error = DMAError(
                .kernelRefused,
                "\(name) refused to map \(extent.range) to 0x"
                    + String(extent.address, radix: 16)
                    + ": the range, overlaps, entries, locked memory and ownership are in order, "
                    + "so none of the known reasons holds.",
                remedy: "Look at the kernel log; the device itself may have failed.",
                range: extent.range)
        }
        error.kernelErrno = failure.cause.errno?.rawValue
        error.errno = error.kernelErrno ?? error.errno
        error.range = extent.range
        return error
    }
}

enum EntryLimit {
    static let remedy =
        "Use fewer, larger regions or hugepages, or reload the module with a higher limit "
        + "(modprobe vhost_vdpa max_iotlb_entries=N)."
}

enum LockedMemory {
    static func remedy(_ needed: UInt64) -> String {
        let kibibytes = (needed + 1023) / 1024
        return
            "Raise the limit: `ulimit -l \(kibibytes)`, `prlimit --memlock=\(needed) --pid PID`, "
            + "or LimitMEMLOCK=\(needed) in the systemd unit."
    }
}
