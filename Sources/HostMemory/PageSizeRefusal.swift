/// Why pages of one size were not had for an allocation that other pages then served.
public struct PageSizeRefusal: Hashable, Sendable {
    /// The size that was tried.
    public let pageSize: PageSize
    /// How many of its pages were wanted.
    public let wantedPageCount: Int
    /// How many were free on each node, where that was the reason.
    public let freePagesByNode: [Int: Int]
    /// The reason, with the figures.
    public let reason: String
    /// What an operator can do, a command where there is one; empty where nothing is known.
    public let remedy: String

    /// - Returns: nil for an error that says nothing about a page size.
    package init?(_ error: HostMemoryError) {
        guard let pageSize = error.pageSize else { return nil }
        self.pageSize = pageSize
        wantedPageCount = error.wantedPages
        freePagesByNode = error.freePagesByNode
        var plain = error
        plain.remedy = ""
        reason = plain.description
        remedy = error.remedy
    }
}

extension PageSizeRefusal: CustomStringConvertible {
    public var description: String { remedy.isEmpty ? reason : reason + ". " + remedy }
}
