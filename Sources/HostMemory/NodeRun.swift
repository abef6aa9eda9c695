internal import CNUMA

/// Consecutive bytes of a region whose pages lie on one node.
public struct NodeRun: Hashable, Sendable {
    /// From the region's first byte.
    public let byteOffset: Int
    public let byteCount: Int
    /// nil for a page that is not there, or of which the kernel would not say where it is.
    public let node: Int?

    /// What move_pages(2) tells about a range of this process's memory, now.
    ///
    /// - Parameters:
    ///   - pageSize: of the pages behind it, in bytes: one question each. The range may begin and
    ///     end inside one.
    /// - Throws: `systemCallFailed` where the kernel does not answer at all.
    /// - Complexity: O(pages); about 40 ms for 1 GiB in pages of 4 KiB.
    package static func query(
        _ address: UInt, byteCount: Int, pageSize: Int, system: SystemCalls = SystemCalls()
    ) throws(HostMemoryError) -> [NodeRun] {
        let firstPage = address & ~UInt(pageSize - 1)
        let head = Int(address - firstPage)
        let pages = (head + byteCount + pageSize - 1) / pageSize
        var runs: [NodeRun] = []
        var answers = [Int32](repeating: 0, count: min(pages, Int(CNUMA_QUERY_PAGES)))
        var asked = 0
        while asked < pages {
            let step = min(answers.count, pages - asked)
            let result = system.queryNodes(
                firstPage + UInt(asked * pageSize), stride: pageSize, count: step, into: &answers)
            guard result >= 0 else { throw HostMemoryError(.queryNodes, result) }
            for index in 0..<step {
                let start = max(0, (asked + index) * pageSize - head)
                let end = min(byteCount, (asked + index + 1) * pageSize - head)
                let node = answers[index] >= 0 ? Int(answers[index]) : nil
                if let last = runs.last, last.node == node {
                    runs[runs.count - 1] = NodeRun(
                        byteOffset: last.byteOffset, byteCount: end - last.byteOffset, node: node)
                } else {
                    runs.append(NodeRun(byteOffset: start, byteCount: end - start, node: node))
                }
            }
            asked += step
        }
        return runs
    }
}
