internal import CNUMA

/// Reads from smaps which pages are behind a mapping.
enum PageSizeProbe {
    /// hugetlb says so in KernelPageSize; transparent hugepages count only if ShmemPmdMapped shows
    /// that every byte is mapped by them.
    ///
    /// - Throws: `systemCallFailed` if smaps cannot be read or does not hold the range.
    static func pageSize(
        of mapping: borrowing MemoryMapping, _ topology: HostTopology, _ system: SystemCalls
    ) throws(HostMemoryError) -> PageSize {
        let addresses = mapping.address...(mapping.address + UInt(mapping.byteCount) - 1)
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
        guard covered == mapping.byteCount else { throw HostMemoryError(.readSmaps, -EIO) }
        switch kernelPage {
        case PageSize.size1GiB.byteCount: return .size1GiB
        case PageSize.size2MiB.byteCount: return .size2MiB
        case PageSize.size4KiB.byteCount:
            return collapsed == mapping.byteCount ? .transparent2MiB : .size4KiB
        default: throw HostMemoryError(.pageSizeNotObtained)
        }
    }
}
