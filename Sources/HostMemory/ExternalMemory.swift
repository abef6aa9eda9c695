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
        if let hole = firstHole(in: range, areas) {
            var error = HostMemoryError(.notMapped)
            error.addresses = hole
            error.remedy = "Map the whole range before it is registered."
            throw error
        }
        return areas
    }

    /// The first addresses of the range that no area holds.
    static func firstHole(
        in range: ClosedRange<UInt>, _ areas: [MemoryArea]
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
