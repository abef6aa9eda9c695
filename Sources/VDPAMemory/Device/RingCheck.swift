package import IOVAAllocator
internal import Synchronization
internal import VhostVDPA

/// An area, and the queue it belongs to.
struct QueueArea: Sendable {
    let queue: UInt32
    let area: RingArea
}

// The kernel compares ring addresses with no mapping: a wrong one is a device that reads and writes
// where it should not, or stops. So whatever makes a ring live is compared with the ledger here.

extension VDPADevice {
    /// Makes rings live: notes them as in use, looks whether they are mapped, calls the kernel,
    /// and keeps the record if it agreed. In this order, so that no region can be freed in between:
    /// who frees looks at `enabledRings` while it holds its domain's lock, and so either sees the
    /// areas or is seen by the look at the ledger.
    ///
    /// The caller holds `controlLock`.
    func handOver(
        _ areas: [QueueArea], addressSpace: UInt32, checked: Bool,
        _ call: (borrowing VhostDevice) throws(VhostError) -> Void,
        record: (inout RingRecords) -> Void
    ) throws(DMAError) {
        editRecords { $0.pending = (addressSpace, areas.map(\.area.range)) }
        defer { editRecords { $0.pending = nil } }
        if checked { try requireMapped(areas, addressSpace: addressSpace) }
        try kernel(try call(vhost))
        editRecords(record)
    }

    private func requireMapped(_ areas: [QueueArea], addressSpace: UInt32) throws(DMAError) {
        guard !areas.isEmpty else { return }
        // Strong from here on, and asked with no lock held that a domain could wait for.
        let ledger = claims.withLock { $0.ledger(addressSpace) }
        if let ledger, ledger.hasLostTable(of: self, addressSpace: addressSpace) {
            throw DMAError(
                .unsafeControl,
                "\(name) was reset, and may have lost what address space \(addressSpace) had "
                    + "mapped: a ring there would be out of its reach.",
                remedy: "Call remap() on the domain, or pass `checked: false` to vouch for it.")
        }
        for element in areas {
            let area = element.area
            if let ledger,
                ledger.covers(
                    area.range, access: area.access, of: self, addressSpace: addressSpace)
            {
                continue
            }
            let reason =
                ledger == nil
                ? "no domain maps address space \(addressSpace)"
                : "address space \(addressSpace) has not all of it mapped \(area.access.words)"
            throw DMAError(
                .unsafeControl,
                "The \(area.name) of queue \(element.queue) at \(area.range): \(reason). The "
                    + "kernel would not look.",
                remedy: "Place it in a region of the domain on that address space, or pass "
                    + "`checked: false` to vouch for it.",
                range: area.range)
        }
    }

    /// The areas of enabled queues in an address space, by first address: what the device may use
    /// at any moment. Areas about to be enabled count.
    ///
    /// Complexity: O(n log n) in the device's queues. No system call.
    package func enabledRings(addressSpace: UInt32) -> [IOVARange] {
        withRecords { $0.enabledRanges(addressSpace: addressSpace) }
    }
}

extension DMAAccess {
    fileprivate var words: String {
        switch self {
        case .readOnly: "for the device to read"
        case .writeOnly: "for the device to write"
        case .readWrite: "for the device to read and write"
        }
    }
}
