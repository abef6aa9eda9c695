internal import IOVAAllocator
internal import VhostVDPA

/// One of a queue's three areas, as the device will use it.
struct RingArea: Hashable, Sendable {
    let name: String
    let range: IOVARange
    let access: DMAAccess

    /// The areas of a queue of `size` entries.
    ///
    /// Sizes: virtio specification 1.2, sections 2.7 (split; both rings with the two bytes for
    /// used_event and avail_event, which a device may touch whenever EVENT_IDX was negotiated) and
    /// 2.8 (packed: descriptors are written back by the device, event areas have 4 bytes).
    ///
    /// - Throws: `unsafeControl` for an area that would end past 2^64-1.
    static func areas(
        of addresses: VringAddresses, size: UInt32, layout: VringLayout
    ) throws(DMAError) -> [RingArea] {
        let size = UInt64(size)
        switch layout {
        case .split:
            return [
                try RingArea("descriptor table", addresses.descriptors, 16 * size, .readOnly),
                try RingArea("available ring", addresses.available, 6 + 2 * size, .readOnly),
                try RingArea("used ring", addresses.used, 6 + 8 * size, .writeOnly),
            ]
        case .packed:
            return [
                try RingArea("descriptor ring", addresses.descriptors, 16 * size, .readWrite),
                try RingArea("driver event area", addresses.available, 4, .readOnly),
                try RingArea("device event area", addresses.used, 4, .writeOnly),
            ]
        }
    }

    private init(
        _ name: String, _ first: IOVA, _ byteCount: UInt64, _ access: DMAAccess
    ) throws(DMAError) {
        guard let range = IOVARange(first: first, byteCount: byteCount) else {
            throw DMAError(
                .unsafeControl,
                "The \(name) at \(first) with \(byteCount) bytes would end past 2^64-1.",
                remedy: "Set the queue's size first, and place the area in a region.",
                needed: byteCount)
        }
        self.name = name
        self.range = range
        self.access = access
    }
}
