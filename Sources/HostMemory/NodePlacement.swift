/// Where the pages of an allocation lie, as move_pages(2) answered for each of them.
public struct NodePlacement: Hashable, Sendable {
    /// The number of pages on each node that has any.
    public let pagesByNode: [Int: Int]

    /// The nodes that the policy asked for; empty when it left the choice to the kernel.
    public let wantedNodes: [Int]

    /// Pages of which the kernel would not say where they lie: only where a sandbox forbids
    /// move_pages(2) and no node was asked for.
    public let unverifiedPages: Int

    public init(pagesByNode: [Int: Int], wantedNodes: [Int] = [], unverifiedPages: Int = 0) {
        self.pagesByNode = pagesByNode
        self.wantedNodes = wantedNodes
        self.unverifiedPages = unverifiedPages
    }

    /// The number of pages in all.
    public var pageCount: Int { pagesByNode.values.reduce(unverifiedPages, +) }

    /// Pages that lie elsewhere than on the nodes asked for: 0 when no node was asked for.
    public var spilledPages: Int {
        guard !wantedNodes.isEmpty else { return 0 }
        return pagesByNode.reduce(0) { sum, entry in
            wantedNodes.contains(entry.key) ? sum : sum + entry.value
        }
    }
}

extension NodePlacement: CustomStringConvertible {
    public var description: String {
        var parts = pagesByNode.sorted { $0.key < $1.key }
            .map { "node \($0.key): \($0.value) pages" }
        if unverifiedPages > 0 { parts.append("unknown: \(unverifiedPages) pages") }
        if spilledPages > 0 {
            let wanted = wantedNodes.map(String.init).joined(separator: ", ")
            parts.append("\(spilledPages) spilled from node \(wanted)")
        }
        return parts.joined(separator: ", ")
    }
}
