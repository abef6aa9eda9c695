public import IOVAAllocator

/// One entry of an address space: a physically contiguous run, or a piece of one VMA.
public struct TranslationEntry: Hashable, Sendable {
    public var range: IOVARange
    /// The host address behind `range.first`.
    public var address: UInt
    /// The permission byte as it came: 1 read, 2 write, 3 both. The kernel does not check it.
    public var access: UInt8

    public init(range: IOVARange, address: UInt, access: UInt8) {
        self.range = range
        self.address = address
        self.access = access
    }
}

/// vhost's IOTLB, naive on purpose: a list, walked from its start. It shares no code and no idea
/// with the allocator's tree, which it is there to contradict.
struct TranslationTable {
    private(set) var entries: [TranslationEntry] = []

    /// vhost_iotlb_itree_first: the first entry that touches `[first, last]`. The test of the
    /// kernel's interval tree also holds where `last < first`, which a message of size 0 gives.
    func indexOfEntry(touching first: UInt64, through last: UInt64) -> Int? {
        entries.firstIndex {
            $0.range.first.rawValue <= last && first <= $0.range.last.rawValue
        }
    }

    func entry(containing address: IOVA) -> TranslationEntry? {
        entries.first { $0.range.contains(address) }
    }

    mutating func append(_ entry: TranslationEntry) { entries.append(entry) }

    /// Removes every entry that touches the range, whole, and answers what it removed.
    mutating func remove(touching first: UInt64, through last: UInt64) -> [TranslationEntry] {
        var removed: [TranslationEntry] = []
        while let index = indexOfEntry(touching: first, through: last) {
            removed.append(entries.remove(at: index))
        }
        return removed
    }
}
