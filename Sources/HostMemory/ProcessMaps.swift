/// The process's own address space, from /proc/self/maps or /proc/self/smaps.
enum ProcessMaps {
    /// The areas that overlap a range, clipped to it, in order.
    ///
    /// - Parameter detailed: reads smaps, where the kernel counts the pages of each area up to
    ///   the range's end: slower, by far in a process with much memory of 4 KiB pages below it.
    /// - Throws: `systemCallFailed` if the file cannot be read.
    /// - Complexity: O(areas up to the range's end); nothing behind it is read.
    static func areas(
        overlapping range: ClosedRange<UInt>, detailed: Bool, _ topology: HostTopology,
        _ system: SystemCalls
    ) throws(HostMemoryError) -> [MemoryArea] {
        var areas: [MemoryArea] = []
        var current: MemoryArea?
        let call: SystemCall = detailed ? .readSmaps : .readMaps
        let path = "\(topology.procfs)/self/\(detailed ? "smaps" : "maps")"
        let result = system.forEachLine(call, of: path) { line in
            // Details begin with a capital letter, areas with a digit of their address: most lines
            // are details of areas that nobody asked about.
            let isDetail = line.utf8.first.map { (65...90).contains($0) } ?? true
            guard !isDetail, let area = MemoryArea(mapsLine: line) else {
                current?.read(detail: line)
                return true
            }
            if let complete = current { areas.append(complete) }
            current = area.addresses.overlaps(range) ? area : nil
            return area.addresses.lowerBound <= range.upperBound
        }
        guard result >= 0 else { throw HostMemoryError(call, result) }
        if let complete = current { areas.append(complete) }
        for index in areas.indices { areas[index].clip(to: range) }
        return areas
    }
}
