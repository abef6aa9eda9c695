/// One extent of a heap: a region that the heap owns.
struct HeapExtent: Sendable {
    let id: RegionID
    let address: UInt
    let iova: UInt64
    let byteCount: Int
    /// Kept here as well, so that a `close()` of the domain unmaps it from the device alone.
    private let memory: MemoryBox?

    init(_ id: RegionID, _ info: RegionInfo, _ memory: MemoryBox?) {
        self.id = id
        address = info.addressBits
        iova = info.range.first.rawValue
        byteCount = Int(info.byteCount)
        self.memory = memory
    }

    init(_ region: borrowing DMARegion) {
        id = region.id
        // Safe: a number.
        address = unsafe UInt(bitPattern: region.address)
        iova = region.iova.rawValue
        byteCount = region.byteCount
        memory = region.memory
    }

    /// Blocks are aligned in the process and for the device alike: the two must agree.
    func requireAlignment(_ alignment: Int, _ range: IOVARange) throws(DMAError) {
        guard (UInt64(address) ^ iova) & UInt64(alignment - 1) != 0 else { return }
        throw DMAError(
            .noSpace,
            "An extent's address and IOVA differ modulo \(alignment): blocks in it cannot be "
                + "aligned so far.",
            remedy: "Ask for pages of that size, or for a smaller `alignment`.", range: range)
    }
}

extension DMAError.Code {
    /// As many extents as the heap was made for.
    public static let heapCapacity = Self(rawValue: -8)
}
