import IOVAAllocator
import TestSupport
import Testing

/// Sizes of 2^p - 1, 2^p and 2^p + 1 bytes for every p, in holes that are just as large.
@Suite struct PowerBoundaryTests {
    static let powers = 0..<64 as Range<UInt64>

    /// The sizes next to 2^p; nothing for what is no size.
    static func sizes(_ power: UInt64) -> [UInt64] {
        let middle = 1 << power as UInt64
        return [middle - 1, middle, middle + 1].filter { $0 > 0 }
    }

    /// Ranges of `size` bytes: at 0, at 1, at and next to 2^p, and up to 2^64-1.
    static func ranges(_ power: UInt64, _ size: UInt64) -> [IOVARange] {
        let middle = 1 << power as UInt64
        return [0, 1, middle - 1, middle, middle + 1, 0 &- size].compactMap {
            IOVARange(first: IOVA($0), byteCount: size)
        }
    }

    @Test("a hole of any of these sizes, anywhere, holds exactly what arithmetic in 128 bits says")
    func exactHoles() throws {
        var fits = 0
        var refusals = 0
        for power in Self.powers {
            for size in Self.sizes(power) {
                for hole in Self.ranges(power, size) {
                    let (yes, no) = try requestsAround(size, hole, power)
                    fits += yes
                    refusals += no
                }
            }
        }
        #expect(fits > 5_000 && refusals > 5_000, "\(fits) fits, \(refusals) refusals")
    }

    /// One byte less, as much, and one byte more than the hole has, at three alignments.
    private func requestsAround(
        _ size: UInt64, _ hole: IOVARange, _ power: UInt64
    ) throws -> (fits: Int, refusals: Int) {
        var space = try IOVASpace(usable: [hole], granule: 1, regionCapacity: 2)
        let before = Snapshot(space)
        var fits = 0
        var refusals = 0
        for wanted in [size - 1, size, size &+ 1] where wanted > 0 {
            for alignment in [1, 1 << power, 1 << 63] as [UInt64] {
                let request = OracleRequest(byteCount: wanted, alignment: alignment)
                for order in [IOVASearchOrder.any, .lowest, .highest] {
                    let expected =
                        order == .highest
                        ? request.highest(in: hole.raw) : request.lowest(in: hole.raw)
                    let what = "\(wanted) bytes aligned to \(alignment) in \(hole), \(order)"
                    guard try answer(&space, request, order, what) == expected else {
                        throw Mismatch("\(what): not at \(String(describing: expected))")
                    }
                    if expected == nil { refusals += 1 } else { fits += 1 }
                    // The magazine keeps what `.any` freed; the hole has to be one again.
                    space.flushMagazine()
                    try require(Snapshot(space) == before, "\(what): something is left")
                }
            }
        }
        return (fits, refusals)
    }

    /// Where the space puts it, which is freed again; nil where it says that there is no room.
    private func answer(
        _ space: inout IOVASpace, _ request: OracleRequest, _ order: IOVASearchOrder,
        _ what: String
    ) throws -> UInt64? {
        let largest = space.largestHole(alignment: request.alignment)
        let region: IOVAAllocation
        do {
            region = try space.allocate(
                byteCount: request.byteCount, alignment: request.alignment,
                placement: .anywhere(order))
        } catch {
            let refusal = IOVASpaceError.noSpace(
                byteCount: request.byteCount, alignment: request.alignment, largestHole: largest)
            try require(error == refusal && largest < request.byteCount, "\(what): \(error)")
            return nil
        }
        try require(region.range.byteCount == request.byteCount, "\(what): \(region.range)")
        try require(
            space.entry(containing: region.range.first)?.handle == region.handle
                && space.entry(containing: region.range.last)?.handle == region.handle, what)
        try require(space.invariantViolation() == nil, "\(what): invariant")
        try space.free(region.handle)
        return region.range.first.rawValue
    }

    @Test("a fixed placement fits a range of any of these sizes to the byte, and no further")
    func fixedEdges() throws {
        var placed = 0
        for power in Self.powers {
            for size in Self.sizes(power) {
                for range in Self.ranges(power, size) { placed += try placeAround(range, size) }
            }
        }
        #expect(placed > 2_000, "\(placed) placed")
    }

    /// The whole, its first and last byte; then each reaching one byte further, on either side.
    private func placeAround(_ range: IOVARange, _ size: UInt64) throws -> Int {
        var space = try IOVASpace(usable: [range], granule: 1, regionCapacity: 2)
        let before = Snapshot(space)
        let (first, last) = (range.first.rawValue, range.last.rawValue)
        for (address, count) in [(first, size), (first, 1), (last, 1)] {
            let region = try space.allocate(byteCount: count, placement: .fixed(IOVA(address)))
            try require(region.range.first == IOVA(address), "\(count) at \(IOVA(address))")
            try require(region.range.byteCount == count, "\(count) at \(IOVA(address))")
            try require(space.invariantViolation() == nil, "\(count) at \(IOVA(address))")
            try space.free(region.handle)
        }
        // Behind 2^64-1 and before 0 there is nothing to reach; `first` wraps around there.
        let outside = [
            (first, size &+ 1), (last, 2), (last &+ 1, 1), (first &- 1, 1), (first &- 1, 2),
            (first &- 1, size &+ 1),
        ]
        for (address, count) in outside where count > 0 && !range.contains(address, count) {
            var refusal: IOVASpaceError?
            do {
                _ = try space.allocate(byteCount: count, placement: .fixed(IOVA(address)))
            } catch { refusal = error }
            let isWrapping = IOVARange(first: IOVA(address), byteCount: count) == nil
            switch refusal {
            case .badSize(count) where isWrapping: break
            case .unusable where !isWrapping: break
            default:
                throw Mismatch(
                    "\(count) at \(IOVA(address)) beside \(range): \(String(describing: refusal))")
            }
        }
        try require(Snapshot(space) == before, "something is left in \(range)")
        return 3
    }
}

extension IOVARange {
    fileprivate func contains(_ address: UInt64, _ byteCount: UInt64) -> Bool {
        IOVARange(first: IOVA(address), byteCount: byteCount).map(contains) ?? false
    }
}
