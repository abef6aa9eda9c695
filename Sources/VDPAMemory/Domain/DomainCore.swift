internal import Synchronization
internal import VhostVDPA

/// The state of a domain behind its lock, apart from the domain itself so that a device can ask
/// about mappings without keeping the domain alive.
final class DomainCore: AddressSpaceLedger {
    let state: Mutex<DomainState>

    init(_ state: consuming sending DomainState) { self.state = Mutex(state) }

    /// A claim may outlive its target: while a device is detached, and after one was detached
    /// without unmapping, when it still has what was mapped then and gets nothing that comes.
    func covers(
        _ range: IOVARange, access: DMAAccess, of device: VDPADevice, addressSpace: UInt32
    ) -> Bool {
        state.withLock { state in
            state.target(device, addressSpace) != nil && state.covers(range, access: access)
        }
    }

    func hasLostTable(of device: VDPADevice, addressSpace: UInt32) -> Bool {
        state.withLock { state in
            state.target(device, addressSpace)?.isTableLost ?? false
        }
    }
}

extension DomainState {
    /// Whether every byte of `range` belongs to a live region that lets the device do what `access`
    /// says. What waits in quarantine does not count, nor the free part of a shared extent: it is
    /// mapped, and the next region's.
    ///
    /// - Complexity: O(log n) for each region in the range.
    func covers(_ range: IOVARange, access: DMAAccess) -> Bool {
        var next = range.first
        while let entry = space.entry(containing: next) {
            guard entry.kind == .region, let handle = entry.handle, let extent = extent(handle),
                extent.access.rawValue & access.rawValue == access.rawValue
            else { return false }
            if let carver = extent.carver, let part = range.intersection(entry.range),
                !carver.space.isCarved(part)
            {
                return false
            }
            if entry.range.last >= range.last { return true }
            guard let behind = entry.range.last.advanced(by: 1) else { return false }
            next = behind
        }
        return false
    }
}

extension IOVASpace {
    /// Whether every byte of `range` belongs to a region.
    fileprivate func isCarved(_ range: IOVARange) -> Bool {
        var next = range.first
        while let entry = entry(containing: next), entry.kind == .region {
            if entry.range.last >= range.last { return true }
            guard let behind = entry.range.last.advanced(by: 1) else { return false }
            next = behind
        }
        return false
    }
}

extension DMADomain {
    /// What the ring checks of an attached device see.
    func covers(_ range: IOVARange, access: DMAAccess) -> Bool {
        core.state.withLock { state in state.covers(range, access: access) }
    }
}
