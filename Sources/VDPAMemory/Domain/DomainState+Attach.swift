internal import Glibc
internal import HostMemory
internal import VhostVDPA

// More devices, and address spaces, under one layout.

extension DomainState {
    /// Maps everything that is mapped into one more address space, or changes nothing.
    ///
    /// - Parameter target: claimed by this domain, and empty.
    /// - Returns: what was flushed on the way, to be released outside the lock.
    mutating func attach(_ target: MappingTarget) throws(DMAError) -> [Extent] {
        try requireOpen()
        guard self.target(target.device, target.addressSpace) == nil else {
            preconditionFailure("an address space is claimed once")
        }
        // What is not in use need not fit the new device, and is not mapped there.
        try requireRepaired()
        try requireNoQueues([target])
        let released = try trim()
        let live = liveExtents()
        let layout = try layout(with: target, live)
        try requireSuitable(live, for: target)
        try requireBudget(live, for: target)
        var undo = LayoutChange()
        do throws(IOVASpaceError) {
            try narrow(to: layout, &undo)
        } catch {
            take(back: undo)
            throw DMAError(error, range: layout.range)
        }
        do throws(TargetFailure) {
            try target.send(live.map { MapMessage.map($0) })
        } catch {
            take(back: undo)
            retiredMessages.add(target.messages)
            var transaction = MapTransaction()
            transaction.newExtents = live
            let refused = explain(error, target, transaction)
            guard error.stillMapped.isEmpty else {
                // Here, under the lock: a free of theirs must not give the memory back.
                target.device.keepUntilClosed(error.stillMapped)
                throw refused.withMappingsLeft(error.stillMapped.count)
            }
            throw refused
        }
        for extent in live { target.account(mapped: extent) }
        range = layout.range
        targets.append(target)
        open(windowsKept)
        windowsKept = []
        // The first device after the last one has gone may reach further than that did.
        widen()
        note(.attached(device: target.device.name, addressSpace: target.addressSpace))
        return released
    }

    // MARK: the layout

    private struct TargetLayout {
        var range: IOVARange
        var windows: [IOVARange]
    }

    /// What a target changes of the space, to be taken back step by step.
    struct LayoutChange {
        var withdrawn: [IOVARange] = []
        var reserved: [IOVARange] = []
    }

    /// The layout that holds for the new target too.
    private func layout(
        with target: MappingTarget, _ live: [Extent]
    ) throws(DMAError) -> TargetLayout {
        let device = target.device
        let reachable = try Layout.range(for: device, options.window)
        let windows = Layout.windows(device).map(Layout.wholePages(around:))
        guard let common = reachable.intersection(range) else {
            throw DMAError(
                .outsideRange,
                "\(device.name) can address \(reachable), and the domain lives in \(range).",
                remedy: "Give it a domain of its own.", range: range)
        }
        for extent in live.sorted(by: { $0.range.first < $1.range.first }) {
            if !reachable.contains(extent.range) {
                throw DMAError(
                    .outsideRange,
                    "\(device.name) can address \(reachable), which does not hold the live "
                        + "mapping \(extent.range).",
                    remedy: "Attach devices before mapping, or give the domain a `window` that all "
                        + "of them have.", range: extent.range)
            }
            if let window = windows.first(where: { $0.overlaps(extent.range) }) {
                throw DMAError(
                    .overlap,
                    "The platform of \(device.name) keeps \(window) for itself, and the live "
                        + "mapping \(extent.range) lies there.",
                    remedy: "Attach devices before mapping, or reserve that window in the options.",
                    range: extent.range)
            }
        }
        return TargetLayout(range: common, windows: windows)
    }

    private mutating func narrow(
        to layout: TargetLayout, _ undo: inout LayoutChange
    ) throws(IOVASpaceError) {
        if range.first < layout.range.first {
            let below = IOVARange(
                first: range.first.rawValue, last: layout.range.first.rawValue - 1)
            try space.withdrawUsable(below)
            undo.withdrawn.append(below)
        }
        if layout.range.last < range.last {
            let above = IOVARange(
                first: layout.range.last.rawValue + 1, last: range.last.rawValue)
            try space.withdrawUsable(above)
            undo.withdrawn.append(above)
        }
        for window in layout.windows {
            try space.reserve(window, fixedPlacement: .guarded)
            undo.reserved.append(window)
        }
    }

    private mutating func take(back change: LayoutChange) {
        for window in change.reserved.reversed() {
            unwind { try space.cancelReservation(window, fixedPlacement: .guarded) }
        }
        for part in change.withdrawn.reversed() { unwind { try space.addUsable(part) } }
    }

    /// Frees the windows of a device that has gone. Those of the last one stay, as where they are
    /// its successor's will mostly be.
    private mutating func openWindows(of target: MappingTarget) {
        let windows = Layout.windows(target.device).map(Layout.wholePages(around:))
        if targets.isEmpty { windowsKept += windows } else { open(windows) }
    }

    /// Where the space has no entries left for it, a window stays closed, which is safe.
    private mutating func open(_ windows: [IOVARange]) {
        for window in windows {
            try? space.cancelReservation(window, fixedPlacement: .guarded)
        }
    }

    /// Makes usable what all devices can address now. Where the space has no entries left for that,
    /// the layout stays as narrow as it was, which is safe.
    private mutating func widen() {
        var wide: IOVARange?
        for target in targets {
            guard let reachable = try? Layout.range(for: target.device, options.window) else {
                return
            }
            wide = wide.flatMap { $0.intersection(reachable) } ?? reachable
        }
        guard let wide else { return }
        if wide.first < range.first {
            let below = IOVARange(first: wide.first.rawValue, last: range.first.rawValue - 1)
            if (try? space.addUsable(below)) != nil {
                range = IOVARange(first: wide.first, last: range.last)
            }
        }
        if range.last < wide.last {
            let above = IOVARange(first: range.last.rawValue + 1, last: wide.last.rawValue)
            if (try? space.addUsable(above)) != nil {
                range = IOVARange(first: range.first, last: wide.last)
            }
        }
    }

    // MARK: whether it fits

    /// The caller's memory may not be what a device of another kind needs.
    private func requireSuitable(
        _ live: [Extent], for target: MappingTarget
    ) throws(DMAError) {
        let needs = MemoryNeeds(
            pins: target.device.pinsMemory, mapsByAddress: !target.device.pinsMemory)
        let external = live.filter { $0.memory == nil }
        var operations = external.map { extent in
            BatchOperation.register(
                RegionID(table: 0, slot: 0, generation: 0),
                ExternalRange(
                    address: extent.address, byteCount: extent.byteCount, areaCount: 1),
                .anywhere, extent.access, .dedicated)
        }
        do throws(DMAError) {
            try ExternalMemoryCheck.inspect(&operations, needs)
        } catch {
            var error = error
            if let index = error.operationIndex { error.range = external[index].range }
            error.operationIndex = nil
            throw error
        }
        guard needs.mapsByAddress else { return }
        for (extent, operation) in zip(external, operations) {
            guard case .register(_, let memory, _, _, _) = operation else { continue }
            target.setAreaCount(memory.areaCount, of: extent)
        }
    }

    private func requireBudget(_ live: [Extent], for target: MappingTarget) throws(DMAError) {
        var transaction = MapTransaction()
        transaction.newExtents = live
        _ = try entriesNeedRoom(transaction, target)
        _ = try lockedMemoryNeedsRoom(transaction, target, copies: 1)
    }

    // MARK: detaching

    /// Unmaps everything from one address space, or changes nothing.
    mutating func detach(_ target: MappingTarget) throws(DMAError) {
        // A refusal half-way would map again what is in quarantine, over what lives.
        try requireRepaired()
        try requireNoQueues([target])
        let all = liveExtents() + quarantine
        if let ring = all.lazy.compactMap({ target.ring(overlapping: $0.range) }).first {
            throw DMAError(
                .unsafeControl,
                "\(target.device.name) has an enabled ring at \(ring) in address space "
                    + "\(target.addressSpace).",
                remedy: "Reset the device first.", meaning: EBUSY, range: ring)
        }
        do throws(TargetFailure) {
            try target.send(MapTransaction.unmaps(of: all))
        } catch {
            let refused = DMAError(error.cause)
            guard error.lost.isEmpty else {
                counters.lostExtents += UInt64(error.lost.count)
                throw refused.withMappingsLost(error.lost.count)
            }
            throw refused
        }
        remove(target)
    }

    /// Forgets an address space without a message.
    ///
    /// - Returns: what the device may still reach until its file is closed.
    mutating func abandon(_ target: MappingTarget) -> [Extent] {
        let all = liveExtents() + quarantine
        remove(target)
        return all
    }

    private mutating func remove(_ target: MappingTarget) {
        target.forgetMappings()
        retiredMessages.add(target.messages)
        targets.removeAll { $0 === target }
        openWindows(of: target)
        widen()
        note(.detached(device: target.device.name, addressSpace: target.addressSpace))
    }
}

extension DMAError {
    fileprivate func withMappingsLeft(_ count: Int) -> DMAError {
        var error = DMAError(
            .undoIncomplete,
            message + " \(count) mappings could not be taken back: the address space stays taken, "
                + "and the memory is kept, until the device is closed.",
            remedy: "Close the device and open it again.", errno: kernelErrno, range: range)
        error.keepsAddressSpace = true
        return error
    }

    fileprivate func withMappingsLost(_ count: Int) -> DMAError {
        DMAError(
            .undoIncomplete,
            message + " \(count) mappings may be missing on the device, which stays attached.",
            remedy: "Call remap(), or detach it with `unmapping: false` once it is closed.",
            errno: kernelErrno, range: range)
    }
}
