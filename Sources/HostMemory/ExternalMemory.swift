/// The caller's own memory: what it is, before a device is told about it.
package enum ExternalMemory {
    /// The areas that make up a range of the caller's memory, without a gap.
    ///
    /// A snapshot: another thread may map and unmap meanwhile. What a device needs is for the
    /// caller to judge (a use_va parent maps nothing, in silence, unless an area is shared and
    /// file-backed: drivers/vhost/vdpa.c, vhost_vdpa_va_map).
    ///
    /// - Parameters:
    ///   - detailed: also tells the kernel's page size and device memory, from smaps.
    /// - Throws: `notMapped` with the first hole, `invalidRequest` for an empty or overflowing
    ///   range, `systemCallFailed`.
    package static func inspect(
        _ memory: UnsafeRawBufferPointer, detailed: Bool = false,
        topology: HostTopology = HostTopology(), system: SystemCalls = SystemCalls()
    ) throws(HostMemoryError) -> [MemoryArea] {
        // Safe: the address is only compared, never followed.
        let first = unsafe memory.baseAddress.map { UInt(bitPattern: $0) } ?? 0
        let (end, overflow) = first.addingReportingOverflow(UInt(memory.count))
        guard unsafe !memory.isEmpty, !overflow else {
            var error = HostMemoryError(.invalidRequest)
            error.remedy = "Pass at least one byte of mapped memory."
            throw error
        }
        let range = first...(end - 1)
        let areas = try ProcessMaps.areas(
            overlapping: range, detailed: detailed, topology, system)
        try requireNoHole(in: range, areas)
        return areas
    }

    /// Faults a range in as pinning would, and answers whether all of it could be: mapped, and for
    /// `writing` writable. It needs no look at the process's maps, whose reading costs more than
    /// an UPDATE does.
    ///
    /// - Returns: nil where it could, otherwise the call's refusal (madvise(2): ENOMEM for a hole,
    ///   EFAULT or EINVAL for memory that has no pages or not the permission).
    package static func refusalToFaultIn(
        _ range: ClosedRange<UInt>, writing: Bool, system: SystemCalls = SystemCalls()
    ) -> HostMemoryError? {
        let call: SystemCall = writing ? .populate : .populateForReading
        let byteCount = Int(range.upperBound - range.lowerBound) + 1
        let result = system.advise(call, range.lowerBound, byteCount: byteCount)
        return result < 0 ? HostMemoryError(call, result) : nil
    }

    /// The areas of the whole process that overlap a range, holes and all: one look for many
    /// ranges, since the kernel writes the file anew at every reading.
    ///
    /// - Complexity: O(areas up to the range's end).
    package static func snapshot(
        _ range: ClosedRange<UInt>, topology: HostTopology = HostTopology(),
        system: SystemCalls = SystemCalls()
    ) throws(HostMemoryError) -> [MemoryArea] {
        try ProcessMaps.areas(overlapping: range, detailed: false, topology, system)
    }

    /// The part of a snapshot that makes up `range`, without a gap.
    ///
    /// - Throws: `notMapped` with the first hole.
    /// - Complexity: O(log n) plus the areas in the range.
    package static func areas(
        in range: ClosedRange<UInt>, of snapshot: [MemoryArea]
    ) throws(HostMemoryError) -> ArraySlice<MemoryArea> {
        var low = 0
        var high = snapshot.count
        while low < high {
            let middle = (low + high) / 2
            if snapshot[middle].addresses.upperBound < range.lowerBound {
                low = middle + 1
            } else {
                high = middle
            }
        }
        let areas = snapshot[low...].prefix { $0.addresses.lowerBound <= range.upperBound }
        try requireNoHole(in: range, areas)
        return areas
    }

    private static func requireNoHole(
        in range: ClosedRange<UInt>, _ areas: some Collection<MemoryArea>
    ) throws(HostMemoryError) {
        guard let hole = firstHole(in: range, areas) else { return }
        var error = HostMemoryError(.notMapped)
        error.addresses = hole
        error.remedy = "Map the whole range before it is registered."
        throw error
    }

    /// The first addresses of the range that no area holds.
    static func firstHole(
        in range: ClosedRange<UInt>, _ areas: some Collection<MemoryArea>
    ) -> ClosedRange<UInt>? {
        var next = range.lowerBound
        for area in areas {
            if area.addresses.lowerBound > next { return next...(area.addresses.lowerBound - 1) }
            guard area.addresses.upperBound < range.upperBound else { return nil }
            next = area.addresses.upperBound + 1
        }
        return next...range.upperBound
    }
}
