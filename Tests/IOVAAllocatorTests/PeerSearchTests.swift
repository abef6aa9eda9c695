import IOVAAllocator
import Testing

/// What other allocators get wrong when they search and look up, beside `PeerFaultTests`.
@Suite struct PeerSearchTests {
    private func page(_ number: UInt64, _ count: UInt64 = 1) -> IOVARange {
        IOVARange(first: number * 4096, last: (number + count) * 4096 - 1)
    }

    @Test("a region that straddles the start of a window, or its end, does not hide its holes")
    func straddlingTheWindow() throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 8)
        // Pages 8 to 15 are the window; 6 to 9 and 14 to 17 are taken, 10 to 13 are free.
        let window = page(8, 8)
        _ = try space.allocate(byteCount: 4 * 4096, placement: .fixed(page(6).first))
        _ = try space.allocate(byteCount: 4 * 4096, placement: .fixed(page(14).first))
        for order in [IOVASearchOrder.any, .lowest, .highest] {
            let whole = try space.allocate(
                byteCount: 4 * 4096, placement: .within(window, order))
            #expect(whole.range == page(10, 4))
            try space.free(whole.handle)
            #expect(throws: IOVASpaceError.self) {
                _ = try space.allocate(byteCount: 5 * 4096, placement: .within(window, order))
            }
        }
        let lowest = try space.allocate(byteCount: 4096, placement: .within(window, .lowest))
        let highest = try space.allocate(byteCount: 4096, placement: .within(window, .highest))
        #expect(lowest.range == page(10) && highest.range == page(13))
    }

    @Test("a region that straddles the start of everything's upper half leaves no wrapped hole")
    func straddlingTheEnds() throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 4)
        _ = try space.allocate(byteCount: 1 << 63, placement: .fixed(IOVA(1 << 62)))
        // A quarter below and a quarter above: what wraps would hold a half.
        #expect(space.largestHole() == 1 << 62)
        #expect(throws: IOVASpaceError.self) {
            _ = try space.allocate(byteCount: (1 << 62) + 4096)
        }
        let low = try space.allocate(byteCount: 1 << 62)
        let high = try space.allocate(byteCount: 1 << 62)
        #expect(low.range == IOVARange(first: 0, last: (1 << 62) - 1))
        #expect(high.range == IOVARange(first: 3 << 62, last: .max))
    }

    @Test(
        "a known address with another length is refused, shorter and longer",
        arguments: [1, 3, 4, 5, 8] as [UInt64])
    func knownAddressOtherLength(pages: UInt64) throws {
        var space = try IOVASpace(usable: [.all], regionCapacity: 4)
        let known = try space.allocate(byteCount: 4 * 4096, placement: .fixed(page(16).first))
        let found = space.entry(known.handle)
        let met = try #require(found)
        #expect(throws: IOVASpaceError.overlap(page(16, pages), with: met)) {
            _ = try space.allocate(byteCount: pages * 4096, placement: .fixed(page(16).first))
        }
        let freed = try space.free(startingAt: page(16).first)
        #expect(freed == page(16, 4))
    }

    @Test("what could not be unmapped is held back until it is released, however full it gets")
    func quarantineIsNeverReused() throws {
        var space = try IOVASpace(usable: [page(1, 4)], regionCapacity: 8)
        let lost = try space.allocate(byteCount: 4096, placement: .fixed(page(2).first))
        try space.quarantine(lost.handle)
        var others: [IOVARange] = []
        for _ in 0..<3 { others.append(try space.allocate(byteCount: 4096).range) }
        #expect(others.sorted { $0.first < $1.first } == [page(1), page(3), page(4)])
        #expect(throws: IOVASpaceError.self) { _ = try space.allocate(byteCount: 4096) }
        try space.releaseQuarantined(lost.handle)
        #expect(try space.allocate(byteCount: 4096).range == page(2))
    }

    @Test("64 times the regions cost a search and a look-up nothing like 64 times as much")
    func searchIsNotLinear() throws {
        let small = try Crowd(regionCount: 1_000)
        let large = try Crowd(regionCount: 64_000)
        // Interleaved, and the quickest of each: a busy machine slows some rounds, not all.
        var quickest = [Duration](repeating: .seconds(3600), count: 4)
        for _ in 0..<8 {
            for (index, crowd) in [small, large].enumerated() {
                quickest[index] = min(quickest[index], crowd.searchTime())
                quickest[index + 2] = min(quickest[index + 2], crowd.lookUpTime())
            }
        }
        let search = quickest[1] / quickest[0]
        let lookUp = quickest[3] / quickest[2]
        print("64 times the regions: searches cost \(search) times as much, look-ups \(lookUp)")
        #expect(search < 16 && lookUp < 16)
    }
}

/// Regions with a page free behind each, so that a search for more meets many holes in vain; a
/// single hole, two thirds of the way, has three.
private final class Crowd {
    private var space: IOVASpace
    private let regionCount: Int
    private let wide: IOVARange

    init(regionCount: Int) throws {
        self.regionCount = regionCount
        let usable = IOVARange(first: 4096, last: UInt64(2 * regionCount + 1) * 4096 - 1)
        space = try IOVASpace(usable: [usable], regionCapacity: regionCount + 1, magazine: .off)
        for number in 0..<UInt64(regionCount) {
            _ = try space.allocate(
                byteCount: 4096, placement: .fixed(IOVA((2 * number + 1) * 4096)))
        }
        let gone = try space.free(startingAt: IOVA((2 * UInt64(regionCount * 2 / 3) + 1) * 4096))
        let (first, last) = (gone.first.rawValue, gone.last.rawValue)
        wide = IOVARange(first: first - 4096, last: last + 4096)
    }

    /// 1000 searches, lowest and highest in turn, each past many holes that are too small.
    func searchTime() -> Duration {
        ContinuousClock().measure {
            for number in 0..<1000 {
                let order: IOVASearchOrder = number % 2 == 0 ? .lowest : .highest
                do {
                    let found = try space.allocate(
                        byteCount: 3 * 4096, placement: .anywhere(order))
                    if found.range != wide { Issue.record("\(found.range), not \(wide)") }
                    try space.free(found.handle)
                } catch {
                    Issue.record(error)
                }
            }
        }
    }

    /// 500 look-ups from one end to the other, of regions and holes in turn.
    func lookUpTime() -> Duration {
        var found = 0
        let time = ContinuousClock().measure {
            for number in 0..<500 {
                let page = 1 + number * (2 * regionCount / 500)
                let address = IOVA(UInt64(page + number % 2) * 4096)
                if space.entry(containing: address) != nil { found += 1 }
            }
        }
        // One of them may be the region that went.
        if found < 249 || found > 250 { Issue.record("\(found) of 250 regions found") }
        return time
    }
}
