import CDatapath

/// What a run says when heap and oracle disagree.
struct HeapMismatch: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A heap and its oracle in step. The heap never touches the memory it hands out, so that there is
/// none.
@safe
final class HeapModel {
    struct Block {
        let raw: cdp_block
        let number: Int
        let granules: Int
        let waste: UInt64
    }

    let heap: UnsafeMutablePointer<cdp_heap>
    let options: cdp_heap_options
    private(set) var oracle: HeapOracle
    private(set) var live: [Block] = []
    /// Given back: must be refused from then on.
    private(set) var stale: [cdp_block] = []
    private var nextNumber = 1
    /// How often each thing happened: a run that never met it proves nothing of it.
    private(set) var outcomes: [String: Int] = [:]

    init(_ options: cdp_heap_options) throws {
        guard let made = unsafe cdp_heap_create(options) else { throw HeapMismatch("no heap") }
        unsafe heap = made
        self.options = options
        oracle = HeapOracle(granule: options.granule_byte_count)
    }

    // Safe: nobody else has it.
    deinit { unsafe cdp_heap_destroy(heap) }

    /// Whether refusals must be exact.
    private var isExact: Bool { options.search_limit == .max }

    func note(_ what: String) { outcomes[what, default: 0] += 1 }

    // MARK: steps

    func addExtent(_ number: Int, address: UInt64, iova: UInt64, granules: Int) {
        let size = UInt64(granules) * options.granule_byte_count
        unsafe cdp_heap_add_extent(heap, UInt32(number), address, iova, size)
        oracle.extents[number] = HeapOracle.Extent(
            address: address, iova: iova, owners: Array(repeating: 0, count: granules))
    }

    /// Takes the extent out where it is free, as heap and oracle must agree.
    func removeExtent(_ number: Int) throws {
        let isFree = oracle.extents[number].map { $0.owners.allSatisfy { $0 == 0 } } ?? false
        guard unsafe cdp_heap_remove_extent(heap, UInt32(number)) == isFree else {
            throw HeapMismatch("extent \(number) free: \(isFree), and the heap disagrees")
        }
        if isFree {
            oracle.extents[number] = nil
            note("extent removed")
        }
    }

    func take(_ byteCount: UInt64, alignment: UInt64 = 1) throws {
        let (granule, what) = (options.granule_byte_count, "\(byteCount) aligned \(alignment)")
        unsafe cdp_heap_lower_low(heap)
        let raw = unsafe cdp_heap_take_aligned(heap, byteCount, alignment)
        let isLow = unsafe cdp_heap_is_low(heap)
        let largest = options.extent_byte_count / granule * granule
        let granules = byteCount == 0 ? 0 : Int(clamping: (byteCount - 1) / granule + 1)
        guard raw.address != 0 else {
            if byteCount == 0 || byteCount > largest || (alignment > granule && alignment > largest)
            {
                guard !isLow else { throw HeapMismatch("\(what): the flag was raised") }
                return note("never possible")
            }
            guard isLow else { throw HeapMismatch("\(what): refused, and no flag") }
            if isExact, oracle.fits(granules, alignment: alignment) {
                throw HeapMismatch("\(what): refused, and it fits")
            }
            // What holds with any limit: up to 64 granules always, beyond by a sixteenth.
            if alignment <= granule {
                let certain = granules <= 64 ? granules : granules + granules / 16 + 1
                guard oracle.largestFreeGranules < certain else {
                    throw HeapMismatch("\(what): refused although \(certain) granules are free")
                }
            }
            return note(alignment > granule ? "aligned refusal" : "refusal")
        }
        guard granules > 0, UInt64(granules) * granule == cdp_block_byte_count(raw) else {
            throw HeapMismatch("\(what): got \(cdp_block_byte_count(raw)) bytes")
        }
        guard raw.address % alignment == 0, raw.iova % alignment == 0 else {
            throw HeapMismatch("\(what): got \(raw)")
        }
        let number = nextNumber
        nextNumber += 1
        if let wrong = oracle.enter(
            number, address: raw.address, iova: raw.iova, granules: granules)
        {
            throw HeapMismatch("\(what): \(wrong): \(raw)")
        }
        let waste = UInt64(granules) * granule - byteCount
        live.append(Block(raw: raw, number: number, granules: granules, waste: waste))
        let isBelow = UInt64(oracle.freeGranules) * granule < options.low_byte_count
        guard isLow == isBelow else {
            throw HeapMismatch("\(what): low \(isLow), below the mark \(isBelow)")
        }
        if isLow { note("low") }
        note(alignment > granule ? "aligned" : granules > 64 ? "large" : "small")
    }

    func give(_ index: Int) throws {
        let block = live.swapRemove(index)
        guard unsafe cdp_heap_give(heap, block.raw) else {
            throw HeapMismatch("not taken back: \(block.raw)")
        }
        oracle.leave(block.number, address: block.raw.address, granules: block.granules)
        stale.append(block.raw)
        if stale.count > 64 { stale.removeFirst() }
    }

    /// A block that is not out is refused, and nothing changes.
    func giveWrongly(_ raw: cdp_block) throws {
        guard unsafe !cdp_heap_give(heap, raw) else { throw HeapMismatch("taken back: \(raw)") }
        let reason = unsafe String(cString: cdp_heap_refusal(heap, raw))
        note(reason)
    }

    // MARK: checks

    func check() throws {
        if let fault = unsafe cdp_heap_fault(heap) {
            throw HeapMismatch(unsafe String(cString: fault))
        }
        let now = unsafe cdp_heap_statistics(heap)
        let granule = options.granule_byte_count
        let waste = live.reduce(0) { $0 + $1.waste }
        let size = oracle.extents.values.reduce(0) { $0 + $1.owners.count }
        guard now.free_byte_count == UInt64(oracle.freeGranules) * granule,
            now.byte_count == UInt64(size) * granule, now.wasted_byte_count == waste,
            now.largest_free_byte_count == UInt64(oracle.largestFreeGranules) * granule,
            now.live_blocks == UInt64(live.count), Int(now.extents) == oracle.extents.count
        else { throw HeapMismatch("\(now): oracle free \(oracle.freeGranules), \(waste) wasted") }
    }

    /// Everything given back is one free block an extent.
    func drain() throws {
        while !live.isEmpty { try give(live.count - 1) }
        try check()
        for (number, extent) in oracle.extents {
            guard unsafe cdp_heap_extent_is_free(heap, UInt32(number)) else {
                throw HeapMismatch("extent \(number) of \(extent.owners.count) is not whole")
            }
        }
    }
}

extension Array {
    fileprivate mutating func swapRemove(_ index: Int) -> Element {
        swapAt(index, count - 1)
        return removeLast()
    }
}
