import IOVAAllocator
import TestSupport
import Testing

/// Trees of three levels and more, against plain sorted arrays.
@Suite struct LargeTreeTests {
    static let regionCount = TestKnobs.count("VDPA_LARGE_REGIONS", 24_000)
    static let steps = TestKnobs.count("VDPA_LARGE_STEPS", 4_000)

    @Test("24 000 regions, churned at random, agree with sorted arrays and drain to nothing")
    func churn() throws {
        let seed = TestKnobs.seed(0x51ab)
        print("seed \(seed): replay with VDPA_SEED=\(seed)")
        var random = SeededGenerator(seed: seed)
        let usable: ClosedRange<UInt64> = 4096...((1 << 40) - 1)
        var space = try IOVASpace(
            usable: [IOVARange(usable)], regionCapacity: Self.regionCount)
        var list = SortedRegions(usable: usable)
        while space.regionCount < Self.regionCount {
            let size = Self.size(&random)
            try list.insert(try space.allocate(byteCount: size))
        }
        try Self.checkWhole(space, list)
        for step in 0..<Self.steps {
            do {
                try Self.churn(&space, &list, &random, drainFirst: Self.isDraining(step, list))
                if step % 1000 == 299 || step % 1000 == 999 { try Self.checkWhole(space, list) }
            } catch {
                throw Mismatch("VDPA_SEED=\(seed), step \(step): \(error)")
            }
        }
        while let last = list.regions.indices.last {
            // From both ends and the middle, so that merges happen everywhere.
            let index = [0, last / 2, last][random.below(3)]
            try space.free(list.regions.remove(at: index).handle)
            if list.regions.count % 4096 == 0 { try Self.checkWhole(space, list) }
        }
        #expect(space.regionCount == 0 && space.usedByteCount == 0)
        #expect(space.freeByteCount == usable.upperBound - usable.lowerBound + 1)
        #expect(space.invariantViolation() == nil)
    }

    /// Drains now and then, but never so far that a level of the tree is lost for good.
    private static func isDraining(_ step: Int, _ list: borrowing SortedRegions) -> Bool {
        step % 1000 < 300 && list.regions.count > Self.regionCount / 2
    }

    /// 4 KiB to 64 KiB mostly, some of 2 MiB.
    private static func size(_ random: inout SeededGenerator) -> UInt64 {
        random.chance(oneIn: 50) ? 2 << 20 : UInt64(1 + random.below(16)) * 4096
    }

    private static func churn(
        _ space: inout IOVASpace, _ list: inout SortedRegions, _ random: inout SeededGenerator,
        drainFirst: Bool
    ) throws {
        for _ in 0..<(drainFirst ? 8 : random.below(2)) {
            let victim = list.regions.remove(at: random.below(list.regions.count))
            if random.chance(oneIn: 2) {
                try space.free(victim.handle)
            } else {
                try space.free(startingAt: victim.range.first)
            }
        }
        if space.regionCount == Self.regionCount || drainFirst && random.chance(oneIn: 2) { return }
        let size = Self.size(&random)
        let alignment = random.pick([4096, 4096, 16384, 2 << 20, 1 << 30, 1 << 33] as [UInt64])
        let order: IOVASearchOrder = random.chance(oneIn: 2) ? .highest : .lowest
        let middle = list.regions[random.below(list.regions.count)].range.first.rawValue
        let window =
            random.chance(oneIn: 3)
            ? middle...min(middle + UInt64(random.below(1 << 28)), list.usable.upperBound)
            : 0...UInt64.max
        let request = OracleRequest(byteCount: size, alignment: alignment, window: window)
        let expected = order == .lowest ? list.lowest(request) : list.highest(request)
        do {
            let allocation = try space.allocate(
                byteCount: size, alignment: alignment,
                placement: .within(IOVARange(window), order))
            try require(
                allocation.range.first.rawValue == expected,
                "\(request) \(order): \(allocation.range), expected \(String(describing: expected))"
            )
            try list.insert(allocation)
        } catch let error as IOVASpaceError {
            guard case .noSpace = error, expected == nil else {
                throw Mismatch(
                    "\(request) \(order): \(error), fits \(String(describing: expected))")
            }
        }
        let probe = list.regions[random.below(list.regions.count)]
        let seen = space.entry(containing: probe.range.last)
        try require(seen?.handle == probe.handle, "a look-up of \(probe.range)")
    }

    private static func checkWhole(
        _ space: borrowing IOVASpace, _ list: borrowing SortedRegions
    ) throws(Mismatch) {
        if let problem = space.invariantViolation() { throw Mismatch("invariant: \(problem)") }
        var seen: [IOVARange] = []
        space.forEachEntry { if $0.kind == .region { seen.append($0.range) } }
        try require(seen == list.regions.map(\.range), "the walk differs")
    }

    @Test("leaves left at their thinnest still hold all regions stated at creation")
    func thinLeaves() throws {
        let capacity = 24_000
        var thin = ThinLeaves(
            space: try IOVASpace(usable: [.all], regionCapacity: capacity, reservationCapacity: 0))
        while capacity - thin.space.regionCount > 128 {
            try thin.addLeaves((capacity - thin.space.regionCount - 64) / 62 * 2)
        }
        while thin.space.regionCount < capacity {
            _ = try thin.space.allocate(byteCount: 4096, placement: .anywhere(.highest))
        }
        #expect(thin.space.invariantViolation() == nil)
    }

    /// A leaf that is full splits near its end where the insertion goes there. Whoever goes on to
    /// fill the same leaf from the middle, and then behind its last entry, would leave a leaf
    /// behind for every third entry, if a leaf split before its neighbour is full.
    @Test("however entries come, all regions stated at creation find room")
    func splitsAtOneLeafsEnd() throws {
        let capacity = 3_000
        var space = try IOVASpace(
            usable: [.all], regionCapacity: capacity, reservationCapacity: 0, magazine: .off)
        func place(_ page: UInt64) throws {
            _ = try space.allocate(byteCount: 4096, placement: .fixed(IOVA(page * 4096)))
        }
        // The pages of the first leaf's regions: 30, and the sentinel before them.
        var first = (1...30 as ClosedRange<UInt64>).map { $0 << 20 }
        for page in first { try place(page) }
        while space.regionCount < capacity {
            try place(try #require(first.last) + 1)
            first.removeLast(2)
            for _ in 0..<2 where space.regionCount < capacity {
                let gaps = first.indices.dropLast().map { first[$0 + 1] - first[$0] }
                let index = try #require(gaps.indices.max { gaps[$0] < gaps[$1] })
                try place(first[index + 1] - 2)
                first.insert(first[index + 1] - 2, at: index + 1)
            }
        }
        #expect(space.invariantViolation() == nil)
    }

    @Test("emptying thin leaves, the first of their parents too, keeps the keys above right")
    func emptiedLeaves() throws {
        var thin = ThinLeaves(
            space: try IOVASpace(usable: [.all], regionCapacity: 24_000, reservationCapacity: 0),
            thinnedParity: 0)
        try thin.addLeaves(700)
        #expect(thin.space.invariantViolation() == nil)
        // Leaf 0 is left with the sentinel alone.
        for leaf in stride(from: 2, to: 700, by: 2) {
            try thin.thin(leaf, from: 0, upTo: 1)
            if leaf % 16 == 0 { #expect(thin.space.invariantViolation() == nil) }
        }
        for leaf in stride(from: 1, to: 700, by: 2) { try thin.thin(leaf, from: 0, upTo: 12) }
        #expect(thin.space.invariantViolation() == nil)
    }
}

/// Wears a tree down to leaves of 12 entries and 1 in turn, which no removal joins: a leaf falls
/// to 1 between full neighbours, which then fall to 12 and no further.
///
/// It knows the shape without looking: entries that come in ascending order leave 16 in each leaf,
/// the sentinel counted, and leaf k starts at the ascending entry 16k - 1.
private struct ThinLeaves: ~Copyable {
    var space: IOVASpace
    private var ascended = 0
    private var leafCount = 0

    /// Which leaves fall to 1: the odd ones, or the even ones, which begin their parents.
    private let thinnedParity: Int

    init(space: consuming IOVASpace, thinnedParity: Int = 1) {
        self.space = space
        self.thinnedParity = thinnedParity
    }

    /// Every fourth page, so that there is room between two.
    private func address(_ ascending: Int) -> IOVA { IOVA(UInt64(ascending + 1) * 4 * 4096) }

    mutating func addLeaves(_ count: Int) throws {
        let leaves = leafCount..<(leafCount + count)
        // The leaf behind them is filled too: a neighbour with room would join with the last one.
        while ascended <= 16 * leaves.upperBound + 29 {
            try place(address(ascended))
            ascended += 1
        }
        for leaf in leaves { try forEachBetween(leaf) { try $0.place($1) } }
        for (parity, kept) in [(thinnedParity, 1), (1 - thinnedParity, 12)] {
            for leaf in leaves where leaf % 2 == parity {
                try forEachBetween(leaf) { try $0.space.free(startingAt: $1) }
                try thin(leaf, from: kept, upTo: 16)
            }
        }
        leafCount += count
    }

    private mutating func place(_ first: IOVA) throws {
        _ = try space.allocate(byteCount: 4096, placement: .fixed(first))
    }

    private mutating func forEachBetween(
        _ leaf: Int, _ body: (inout ThinLeaves, IOVA) throws -> Void
    ) throws {
        for entry in (16 * leaf - 1)..<(16 * leaf + 14) {
            try body(&self, IOVA(address(entry).rawValue + 4096))
        }
    }

    /// Frees the leaf's ascending entries from one index to another.
    mutating func thin(_ leaf: Int, from start: Int, upTo end: Int) throws {
        for entry in (16 * leaf - 1 + start)..<(16 * leaf - 1 + end) {
            try space.free(startingAt: address(entry))
        }
    }
}

/// The model: regions by address, searched from one end to the other.
struct SortedRegions {
    let usable: ClosedRange<UInt64>
    var regions: [IOVAAllocation] = []

    init(usable: ClosedRange<UInt64>) { self.usable = usable }

    mutating func insert(_ allocation: IOVAAllocation) throws(Mismatch) {
        var low = 0
        var high = regions.count
        while low < high {
            let middle = (low + high) / 2
            if regions[middle].range.first < allocation.range.first {
                low = middle + 1
            } else {
                high = middle
            }
        }
        let range = allocation.range
        let meetsBefore = low > 0 && regions[low - 1].range.last >= range.first
        let meetsBehind = low < regions.count && regions[low].range.first <= range.last
        try require(
            !meetsBefore && !meetsBehind && usable.contains(range.first.rawValue)
                && usable.contains(range.last.rawValue), "\(range) meets a live region")
        regions.insert(allocation, at: low)
    }

    func lowest(_ request: OracleRequest) -> UInt64? {
        var next = usable.lowerBound
        for region in regions {
            let first = region.range.first.rawValue
            // Most holes are too short; only the others are worth the arithmetic.
            if first - next >= request.byteCount,
                let address = request.lowest(in: next...(first - 1))
            {
                return address
            }
            next = region.range.last.rawValue + 1
        }
        return next <= usable.upperBound ? request.lowest(in: next...usable.upperBound) : nil
    }

    func highest(_ request: OracleRequest) -> UInt64? {
        var end = usable.upperBound
        for region in regions.reversed() {
            let last = region.range.last.rawValue
            if end - last >= request.byteCount,
                let address = request.highest(in: (last + 1)...end)
            {
                return address
            }
            end = region.range.first.rawValue - 1
        }
        return end >= usable.lowerBound ? request.highest(in: usable.lowerBound...end) : nil
    }
}
