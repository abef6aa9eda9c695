/// Which page sizes an allocation may use, and in which order they are tried.
public enum PagePolicy: Hashable, Sendable {
    /// The largest that can be had: 1 GiB pages for whole multiples of 1 GiB, then 2 MiB, then
    /// transparent 2 MiB for requests of at least 2 MiB, then 4 KiB.
    case largest
    /// This size, or an error.
    case exactly(PageSize)
    /// The first of these that can be had, or an error.
    case firstOf([PageSize])

    /// The sizes to try for a request of `byteCount` bytes, in order.
    package func candidates(byteCount: Int) -> [PageSize] {
        switch self {
        case .exactly(let size): return [size]
        case .firstOf(let sizes): return sizes
        case .largest:
            var sizes: [PageSize] = []
            // A request is never rounded up to a page of 1 GiB: that could double its cost.
            if byteCount.isMultiple(of: PageSize.size1GiB.byteCount) { sizes.append(.size1GiB) }
            if byteCount >= PageSize.size2MiB.byteCount { sizes += [.size2MiB, .transparent2MiB] }
            return sizes + [.size4KiB]
        }
    }
}
