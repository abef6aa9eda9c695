/// The size of the pages behind a piece of memory, and where they come from.
///
/// The IOMMU and the kernel's table need an entry per contiguous run, so larger pages mean fewer
/// entries, fewer messages and fewer misses.
public enum PageSize: Hashable, Sendable, CaseIterable {
    /// The kernel's ordinary pages.
    case size4KiB
    /// Ordinary memory that the kernel has collapsed to 2 MiB pages (transparent hugepages). Needs
    /// no configured pool, and is not guaranteed.
    case transparent2MiB
    /// hugetlb pages of 2 MiB, from the pool that the operator has configured.
    case size2MiB
    /// hugetlb pages of 1 GiB, from the pool that the operator has configured.
    case size1GiB

    /// The size of one page in bytes.
    public var byteCount: Int {
        switch self {
        case .size4KiB: 4 << 10
        case .transparent2MiB, .size2MiB: 2 << 20
        case .size1GiB: 1 << 30
        }
    }

    /// Whether the pages come from a hugetlb pool (Documentation/admin-guide/mm/hugetlbpage.rst).
    package var isHugetlb: Bool { self == .size2MiB || self == .size1GiB }
}

extension PageSize: CustomStringConvertible {
    public var description: String {
        switch self {
        case .size4KiB: "4 KiB"
        case .transparent2MiB: "transparent 2 MiB"
        case .size2MiB: "2 MiB"
        case .size1GiB: "1 GiB"
        }
    }
}
