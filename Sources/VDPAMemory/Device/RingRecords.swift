internal import IOVAAllocator
internal import VhostVDPA

/// What was told to a device about one queue. The kernel gives none of it back.
struct RingRecord: Hashable, Sendable {
    /// Entries. nil while nobody has set it: then the addresses bring the device's maximum.
    var size: UInt32?
    var addresses: VringAddresses?
    var layout = VringLayout.split
    var isEnabled = false
    /// The group whose address space the ring's areas are in.
    var group: UInt32 = 0
}

/// The queues, groups and features of a device since it was opened, adopted or reset.
struct RingRecords: Sendable {
    private(set) var rings: [UInt32: RingRecord] = [:]
    private var addressSpaceOfGroup: [UInt32: UInt32] = [:]
    /// What the driver accepted; nil while nobody has set it.
    var features: VirtioFeatures?
    /// Areas that a control operation is about to hand to the device. They count as in use, so
    /// that no region is freed between the look at the ledger and the kernel's answer.
    var pending: (addressSpace: UInt32, ranges: [IOVARange])?

    var layout: VringLayout { features?.contains(.ringPacked) == true ? .packed : .split }

    subscript(queue: UInt32) -> RingRecord {
        get { rings[queue] ?? RingRecord() }
        set { rings[queue] = newValue }
    }

    func addressSpace(ofGroup group: UInt32) -> UInt32 { addressSpaceOfGroup[group] ?? 0 }

    mutating func move(group: UInt32, to addressSpace: UInt32) {
        addressSpaceOfGroup[group] = addressSpace
    }

    /// As after a reset: queues stop, groups are back in address space 0.
    mutating func clear() { self = RingRecords() }

    /// Whether some queue is enabled, or about to be.
    var hasEnabledQueues: Bool {
        rings.values.contains(where: \.isEnabled) || pending?.ranges.isEmpty == false
    }

    /// The areas that the device may use now in an address space, by first address.
    func enabledRanges(addressSpace: UInt32) -> [IOVARange] {
        var result: [IOVARange] = []
        for ring in rings.values where ring.isEnabled {
            guard self.addressSpace(ofGroup: ring.group) == addressSpace,
                let areas = try? ring.areas()
            else { continue }
            result += areas.map(\.range)
        }
        if let pending, pending.addressSpace == addressSpace { result += pending.ranges }
        return result.sorted { $0.first < $1.first }
    }
}

extension RingRecord {
    /// The three areas; none where no addresses were set.
    func areas() throws(DMAError) -> [RingArea] {
        guard let addresses, let size else { return [] }
        return try RingArea.areas(of: addresses, size: size, layout: layout)
    }
}
