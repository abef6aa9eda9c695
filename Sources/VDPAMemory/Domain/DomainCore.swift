internal import Synchronization
internal import VhostVDPA

/// The state of a domain behind its lock, apart from the domain itself so that a device can ask
/// about mappings without keeping the domain alive.
final class DomainCore: AddressSpaceLedger {
    let state: Mutex<DomainState>

    init(_ state: consuming sending DomainState) { self.state = Mutex(state) }

    func covers(_ range: IOVARange, access: DMAAccess) -> Bool {
        state.withLock { $0.covers(range, access: access) }
    }
}

extension DomainState {
    /// Whether every byte of `range` is mapped, by extents that let the device do what `access`
    /// says. What waits in quarantine counts as not mapped.
    ///
    /// - Complexity: O(log n) for each extent in the range.
    func covers(_ range: IOVARange, access: DMAAccess) -> Bool {
        var next = range.first
        while let entry = space.entry(containing: next) {
            guard entry.kind == .region, let handle = entry.handle, let extent = extent(handle),
                extent.access.rawValue & access.rawValue == access.rawValue
            else { return false }
            if entry.range.last >= range.last { return true }
            guard let behind = entry.range.last.advanced(by: 1) else { return false }
            next = behind
        }
        return false
    }
}

extension DMADomain {
    /// What the device's ring checks see.
    func covers(_ range: IOVARange, access: DMAAccess) -> Bool {
        core.covers(range, access: access)
    }
}
