/// The hugetlb pages of one size on one node, or on the whole machine.
package struct HugepagePool: Hashable, Sendable {
    /// The size of a page in bytes.
    package let pageByteCount: Int
    /// Pages in the pool, in use or not.
    package let total: Int
    /// Pages that hold nothing. On one node, some of them may be promised to mappings that are not
    /// populated yet: the kernel keeps those promises for the machine, not per node.
    package let free: Int
    /// Pages that the kernel may add to the pool when it runs short; known for the machine only.
    package let overcommit: Int

    /// Reads the pool in a folder such as `.../hugepages/hugepages-2048kB`.
    static func read(_ folder: String, pageByteCount: Int) -> HugepagePool? {
        guard let total = TextFile.number(in: folder + "/nr_hugepages"),
            let free = TextFile.number(in: folder + "/free_hugepages")
        else { return nil }
        let limit = TextFile.number(in: folder + "/nr_overcommit_hugepages") ?? 0
        let surplus = TextFile.number(in: folder + "/surplus_hugepages") ?? 0
        return HugepagePool(
            pageByteCount: pageByteCount, total: total, free: free,
            overcommit: max(0, limit - surplus))
    }
}
