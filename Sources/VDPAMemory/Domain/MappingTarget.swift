internal import Synchronization
internal import VhostVDPA

/// One address space of one device: where a domain's layout is applied.
///
/// Who may touch what: only the domain, under its lock; messages go out under the device's batch
/// lock, since another domain may use another address space of the same device.
final class MappingTarget: @unchecked Sendable {
    let device: VDPADevice
    let addressSpace: UInt32
    /// The ledger's sums for this address space.
    var entries = EntryBounds(lower: 0, upper: 0)
    var pinnedBytes: UInt64 = 0
    var messages = IOTLBMessageCounts()
    /// Areas of the process in which the caller's memory lay when it was mapped here, where that
    /// differs from what the extent says: a target that comes later counts anew, and what is summed
    /// here must be what is subtracted.
    private var areaCounts: [ObjectIdentifier: Int] = [:]
    private var rings = RingsInUse()
    /// The device's table epoch at which everything was mapped.
    private var epoch: UInt64
    /// A BATCH_END was refused, or nobody knows what became of a BATCH_BEGIN. Until an end is taken
    /// the device is not told of any change, so that every transaction ends with one.
    private var isBatchOpen = false

    init(_ device: VDPADevice, addressSpace: UInt32) {
        self.device = device
        self.addressSpace = addressSpace
        epoch = device.tableEpoch
    }

    func entries(of extent: Extent) -> EntryBounds {
        var entries = extent.entries
        if !areaCounts.isEmpty, let count = areaCounts[ObjectIdentifier(extent)] {
            entries.areaCount = count
            entries.joinCount = 0
        }
        return entries.bounds(pinned: device.pinsMemory)
    }

    /// Notes in how many areas of the process the caller's memory lies, before it is mapped here.
    func setAreaCount(_ count: Int, of extent: Extent) {
        guard count != extent.entries.areaCount || extent.entries.joinCount > 0 else { return }
        areaCounts[ObjectIdentifier(extent)] = count
    }

    /// Whether a reset may have lost what this domain has mapped there: see
    /// `VDPADevice.tableEpoch`.
    var isTableLost: Bool { device.tableEpoch != epoch }

    /// See `RingsInUse.first`.
    func ring(overlapping range: IOVARange) -> IOVARange? {
        rings.first(overlapping: range, device, addressSpace: addressSpace)
    }

    func account(mapped extent: Extent) {
        entries += entries(of: extent)
        if device.pinsMemory { pinnedBytes += extent.byteCount }
    }

    func account(unmapped extent: Extent) {
        entries -= entries(of: extent)
        areaCounts[ObjectIdentifier(extent)] = nil
        if device.pinsMemory { pinnedBytes -= extent.byteCount }
    }

    func forgetMappings() {
        entries = EntryBounds(lower: 0, upper: 0)
        areaCounts = [:]
        pinnedBytes = 0
    }
}

/// A message of a transaction, with what is needed to take it back.
enum MapMessage {
    case map(Extent)
    /// Whole extents that lie side by side.
    case unmap(IOVARange, [Extent])
}

/// A transaction that one target did not take.
struct TargetFailure: Error {
    /// What the kernel answered.
    var cause: VhostError
    /// The extent whose message was refused, nil for a batch's marks.
    var extent: Extent?
    /// New extents that may still be mapped, because taking them back failed too.
    var stillMapped: [Extent] = []
    /// Old extents that may be unmapped, because mapping them again failed.
    var lost: [Extent] = []
    /// Whether it ended before any mapping was touched: what was missing before is missing still.
    var hasTouchedNothing = false
}

extension MappingTarget {
    /// Sends messages: in one batch where there are several and the device can.
    ///
    /// On failure everything is taken back, in reverse, inside the same batch, which is then
    /// closed; what could not be confirmed is in the error.
    func send(_ list: [MapMessage]) throws(TargetFailure) {
        guard !list.isEmpty else { return }
        let isBatched = isBatched(list)
        let failure: TargetFailure? = device.batchLock.withLock { _ in
            do throws(VhostError) {
                if isBatched { try mark(.batchBegin(asid: addressSpace)) }
            } catch {
                endUncertainBatch()
                return TargetFailure(cause: error)
            }
            var done = 0
            do throws(VhostError) {
                for message in list {
                    try send(message)
                    done += 1
                }
                if isBatched { try mark(.batchEnd(asid: addressSpace)) }
                return nil
            } catch {
                var failure = TargetFailure(cause: error)
                if done < list.count, case .map(let extent) = list[done] { failure.extent = extent }
                // A message that the kernel refused has done nothing, and an INVALIDATE for it
                // could meet what is not this domain's, or be refused itself (Linux 5.19 to 6.3
                // drop an address space with its last mapping). One whose fate is unknown (a short
                // write, an undocumented answer) is taken back as well.
                let suspects = error.code == .messageRefused ? done : min(done + 1, list.count)
                takeBack(list.prefix(suspects), isBatched, &failure)
                return failure
            }
        }
        if let failure { throw failure }
    }

    /// Undoes messages that this target has taken, in reverse order, in a batch of their own.
    func revert(_ list: [MapMessage]) -> TargetFailure? {
        guard !list.isEmpty else { return nil }
        let isBatched = isBatched(list)
        return device.batchLock.withLock { _ in
            do throws(VhostError) {
                if isBatched { try mark(.batchBegin(asid: addressSpace)) }
            } catch {
                endUncertainBatch()
                var failure = TargetFailure(cause: error)
                for message in list { message.recordAsUnconfirmed(in: &failure) }
                return failure
            }
            var failure = TargetFailure(
                cause: VhostError(
                    .unexpectedErrno, .batchEnd, explanation: "Undo.", remedy: ""))
            takeBack(list[...], isBatched, &failure)
            return failure.stillMapped.isEmpty && failure.lost.isEmpty ? nil : failure
        }
    }

    private func isBatched(_ list: [MapMessage]) -> Bool {
        device.supportsBatching && (list.count > 1 || isBatchOpen)
    }

    private func takeBack(
        _ list: ArraySlice<MapMessage>, _ wasBatched: Bool, _ failure: inout TargetFailure
    ) {
        guard wasBatched || !list.isEmpty else { return }
        // BATCH_BEGIN creates the address space where nothing was ever mapped in it: without it
        // the kernel answers EFAULT to an INVALIDATE there.
        let isBatched =
            wasBatched || device.supportsBatching && succeeds(.batchBegin(asid: addressSpace))
        for message in list.reversed() {
            switch message {
            case .map(let extent):
                // A mapping that never came to be makes this INVALIDATE a no-op.
                if !succeeds(.invalidate(asid: addressSpace, range: extent.range)) {
                    failure.stillMapped.append(extent)
                }
            case .unmap(let range, let extents):
                // Whatever part of it happened, everything under it goes, and comes back.
                guard succeeds(.invalidate(asid: addressSpace, range: range)) else {
                    failure.lost += extents
                    continue
                }
                for extent in extents where !succeeds(update(extent)) {
                    failure.lost.append(extent)
                }
            }
        }
        if isBatched || isBatchOpen, !succeeds(.batchEnd(asid: addressSpace)) {
            for message in list { message.recordAsUnconfirmed(in: &failure) }
        }
    }

    private func send(_ message: MapMessage) throws(VhostError) {
        switch message {
        case .map(let extent):
            try device.channel.dmaMap(
                extent.range, at: extent.address, access: extent.access, asid: addressSpace)
            messages.updates += 1
        case .unmap(let range, _):
            try device.channel.dmaUnmap(range, asid: addressSpace)
            messages.invalidates += 1
        }
    }

    private func mark(_ message: IOTLBMessage) throws(VhostError) {
        do throws(VhostError) {
            try device.channel.send(message)
        } catch {
            if case .batchBegin = message, error.leavesFateOpen { isBatchOpen = true }
            throw error
        }
        switch message {
        case .batchBegin:
            messages.batchBegins += 1
            isBatchOpen = true
        case .batchEnd:
            messages.batchEnds += 1
            isBatchOpen = false
        case .update: messages.updates += 1
        case .invalidate: messages.invalidates += 1
        }
    }

    /// A batch that may have begun is ended, or remembered: it would swallow the next message.
    private func endUncertainBatch() {
        if isBatchOpen { _ = succeeds(.batchEnd(asid: addressSpace)) }
    }

    /// For the undo path, which has an error to report already.
    private func succeeds(_ message: IOTLBMessage) -> Bool {
        do throws(VhostError) {
            try mark(message)
            return true
        } catch {
            return false
        }
    }

    private func update(_ extent: Extent) -> IOTLBMessage {
        .update(
            asid: addressSpace, range: extent.range, address: extent.address,
            access: extent.access)
    }

    /// Brings the address space's table to exactly `live`: every known extent goes, then the live
    /// ones come back, in one batch where the device can.
    ///
    /// Extent by extent, because one INVALIDATE much larger than what is mapped crashes unfixed
    /// kernels before 6.2 on the platform-IOMMU path.
    ///
    /// - Returns: nil where the table is right. Else what went wrong first, in `lost` the live
    ///   extents that are not mapped now, and in `stillMapped` the others that may be.
    func rebuild(live: [Extent], gone: [Extent]) -> TargetFailure? {
        device.batchLock.withLock { _ in
            var failure: TargetFailure?
            func done(_ message: IOTLBMessage) -> Bool {
                do throws(VhostError) {
                    try mark(message)
                    return true
                } catch {
                    if failure == nil { failure = TargetFailure(cause: error) }
                    return false
                }
            }
            // A reset waits for the batch lock, so that none comes in between.
            let now = device.tableEpoch
            defer { if failure == nil { epoch = now } }
            let isBatched = device.supportsBatching
            if isBatched, !done(.batchBegin(asid: addressSpace)) {
                endUncertainBatch()
                failure?.stillMapped = gone
                failure?.lost = isTableLost ? live : []
                failure?.hasTouchedNothing = true
                return failure
            }
            for extent in gone where !done(.invalidate(asid: addressSpace, range: extent.range)) {
                failure?.stillMapped.append(extent)
            }
            // One that is refused here is there still, and so its UPDATE is refused below.
            for extent in live { _ = done(.invalidate(asid: addressSpace, range: extent.range)) }
            for extent in live where !done(update(extent)) { failure?.lost.append(extent) }
            // Without its end the device has the old table, and the batch swallows the next.
            if isBatched, !done(.batchEnd(asid: addressSpace)) {
                failure?.stillMapped = gone
                failure?.lost = live
            }
            return failure
        }
    }
}

extension VhostError {
    /// Whether the kernel may have done what it was asked: it did not say that it had refused.
    fileprivate var leavesFateOpen: Bool {
        switch code {
        case .messageRefused, .invalidArgument, .closed, .interrupted, .asidNotNegotiated: false
        default: true
        }
    }
}

extension MapMessage {
    fileprivate func recordAsUnconfirmed(in failure: inout TargetFailure) {
        switch self {
        case .map(let extent): failure.stillMapped.append(extent)
        case .unmap(_, let extents): failure.lost += extents
        }
    }
}
