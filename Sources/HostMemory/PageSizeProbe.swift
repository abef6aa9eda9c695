internal import CNUMA

/// Asks the kernel which pages are behind a mapping.
enum PageSizeProbe {
    /// hugetlb says so in the kernel's page size of the area; transparent hugepages count only if
    /// they map every byte.
    ///
    /// smaps tells both, but makes the kernel look at every page of every area up to this one.
    /// PROCMAP_QUERY and PAGEMAP_SCAN look at this one alone, where the kernel has them.
    ///
    /// - Throws: `systemCallFailed` if the kernel does not say, or has not the whole range.
    static func pageSize(
        of mapping: borrowing MemoryMapping, _ topology: HostTopology, _ system: SystemCalls
    ) throws(HostMemoryError) -> PageSize {
        let addresses = mapping.address...(mapping.address + UInt(mapping.byteCount) - 1)
        if let size = try queried(addresses, topology, system) { return size }
        let areas = try ProcessMaps.areas(
            overlapping: addresses, detailed: true, topology, system)
        var covered = 0
        var collapsed = 0
        var kernelPage: Int?
        for area in areas {
            guard let page = area.kernelPageByteCount, kernelPage ?? page == page else {
                throw HostMemoryError(.readSmaps, -EIO)
            }
            kernelPage = page
            covered += area.byteCount
            collapsed += area.pmdMappedByteCount
        }
        guard covered == mapping.byteCount, let kernelPage else {
            throw HostMemoryError(.readSmaps, -EIO)
        }
        return try pageSize(
            kernelPageByteCount: kernelPage, isCollapsed: collapsed == mapping.byteCount)
    }

    private static func pageSize(
        kernelPageByteCount: Int, isCollapsed: Bool
    ) throws(HostMemoryError) -> PageSize {
        switch kernelPageByteCount {
        case PageSize.size1GiB.byteCount: return .size1GiB
        case PageSize.size2MiB.byteCount: return .size2MiB
        case PageSize.size4KiB.byteCount: return isCollapsed ? .transparent2MiB : .size4KiB
        default: throw HostMemoryError(.pageSizeNotObtained)
        }
    }

    /// nil where only smaps can tell.
    private static func queried(
        _ addresses: ClosedRange<UInt>, _ topology: HostTopology, _ system: SystemCalls
    ) throws(HostMemoryError) -> PageSize? {
        var sizes: (smallest: UInt64, largest: UInt64) = (.max, 0)
        let asked = system.forEachArea(of: "\(topology.procfs)/self/maps", addresses) { area in
            sizes.smallest = min(sizes.smallest, area.page_size)
            sizes.largest = max(sizes.largest, area.page_size)
        }
        guard try isAnswer(asked) else { return nil }
        guard sizes.smallest == sizes.largest else { throw HostMemoryError(.readSmaps, -EIO) }
        let kernelPage = Int(sizes.largest)
        var huge: UInt64 = 0
        if kernelPage == PageSize.size4KiB.byteCount {
            let path = "\(topology.procfs)/self/pagemap"
            guard try isAnswer(system.hugeByteCount(of: path, addresses, &huge)) else { return nil }
        }
        return try pageSize(
            kernelPageByteCount: kernelPage,
            isCollapsed: huge == UInt64(addresses.upperBound - addresses.lowerBound) + 1)
    }

    /// False where the kernel has not the question, or the machine's policy forbids it.
    private static func isAnswer(_ result: Int32) throws(HostMemoryError) -> Bool {
        if [-ENOTTY, -ENOSYS, -EPERM, -EACCES].contains(result) { return false }
        guard result >= 0 else { throw HostMemoryError(.readSmaps, result) }
        return true
    }
}
