/// The areas of a device's enabled rings in one address space, kept so that a free costs no look at
/// the device's records while these stay the same.
struct RingsInUse {
    private var version: UInt64?
    /// Disjoint, by address.
    private var ranges: [IOVARange] = []

    /// The part of an enabled ring that shares an address with `range`, or nil.
    ///
    /// The caller holds its domain's lock. Whoever hands a ring to the device notes it, which
    /// changes the version, and looks at the domain's regions after that, under the same lock: so
    /// either the ring is seen here, or the region's end is seen there.
    ///
    /// - Complexity: O(log n), and O(n log n) after a change of the device's queues.
    mutating func first(
        overlapping range: IOVARange, _ device: VDPADevice, addressSpace: UInt32
    ) -> IOVARange? {
        let now = device.ringsVersion
        if version != now {
            ranges = RingsInUse.joined(device.enabledRings(addressSpace: addressSpace))
            version = now
        }
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].last < range.first { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].first <= range.last ? ranges[low] : nil
    }

    /// Overlapping ranges made one; by first address before and after.
    private static func joined(_ sorted: [IOVARange]) -> [IOVARange] {
        var result: [IOVARange] = []
        for range in sorted {
            if let last = result.last, range.first <= last.last {
                result[result.count - 1] = IOVARange(
                    first: last.first, last: max(last.last, range.last))
            } else {
                result.append(range)
            }
        }
        return result
    }
}
