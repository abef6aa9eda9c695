/// A space of up to 64 pages, one bit each: everything is decided page by page.
package struct BitmapOracle: SpaceOracle {
    package let base: UInt64
    package let granule: UInt64
    package let pageCount: Int
    private var usable: UInt64 = 0
    private var owner: [Int]
    private var isGap: [Bool]
    private var isQuarantined: Set<Int> = []
    private var reservations: [(pages: ClosedRange<Int>, guarded: Bool)] = []

    /// No page is usable at first.
    package init(base: UInt64, granule: UInt64, pageCount: Int) {
        precondition((1...64).contains(pageCount))
        self.base = base
        self.granule = granule
        self.pageCount = pageCount
        owner = Array(repeating: -1, count: pageCount)
        isGap = Array(repeating: false, count: pageCount)
    }

    package var span: ClosedRange<UInt64> { base...(address(pageCount - 1) + (granule - 1)) }

    package func address(_ page: Int) -> UInt64 { base + UInt64(page) * granule }

    package func bytes(_ pages: ClosedRange<Int>) -> ClosedRange<UInt64> {
        address(pages.lowerBound)...(address(pages.upperBound) + (granule - 1))
    }

    private func pages(_ range: ClosedRange<UInt64>) -> ClosedRange<Int> {
        Int((range.lowerBound - base) / granule)...Int((range.upperBound - base) / granule)
    }

    private func kind(_ page: Int) -> OracleKind? {
        if usable & (1 << page) == 0 { return .unusable }
        if owner[page] >= 0 {
            if isGap[page] { return .gap(owner[page]) }
            return isQuarantined.contains(owner[page])
                ? .quarantined(owner[page]) : .region(owner[page])
        }
        var isPlaceable = false
        for reservation in reservations where reservation.pages.contains(page) {
            if reservation.guarded { return .guarded }
            isPlaceable = true
        }
        return isPlaceable ? .placeable : nil
    }

    package func entries() -> [OracleEntry] {
        var result: [OracleEntry] = []
        var previous: OracleKind?
        for page in 0..<pageCount {
            let kind = self.kind(page)
            if let kind {
                let last = address(page) + (granule - 1)
                if kind == previous {
                    result[result.count - 1].last = last
                } else {
                    result.append(OracleEntry(address(page), last, kind))
                }
            }
            previous = kind
        }
        return result
    }

    /// Whether the bytes from `start` on lie on free pages.
    private func isFree(_ start: UInt64, _ request: OracleRequest) -> Bool {
        let low = Int128(start) - Int128(request.before)
        let high = Int128(start) + Int128(request.byteCount) + Int128(request.behind) - 1
        guard low >= Int128(span.lowerBound), high <= Int128(span.upperBound),
            request.window.contains(UInt64(low)), request.window.contains(UInt64(high)),
            start & (request.alignment - 1) == request.offset & (request.alignment - 1)
        else { return false }
        return pages(UInt64(low)...UInt64(high)).allSatisfy { kind($0) == nil }
    }

    package func lowestFit(_ request: OracleRequest) -> UInt64? {
        (0..<pageCount).lazy.map(address).first { isFree($0, request) }
    }

    package func highestFit(_ request: OracleRequest) -> UInt64? {
        (0..<pageCount).reversed().lazy.map(address).first { isFree($0, request) }
    }

    package func bestFit(_ request: OracleRequest) -> UInt64? {
        var best: (length: Int, page: Int)?
        for page in 0..<pageCount where isFree(address(page), request) {
            var (low, high) = (page, page)
            while low > 0, kind(low - 1) == nil { low -= 1 }
            while high < pageCount - 1, kind(high + 1) == nil { high += 1 }
            if best.map({ high - low < $0.length }) ?? true { best = (high - low, page) }
        }
        return best.map { address($0.page) }
    }

    package mutating func place(_ range: ClosedRange<UInt64>, id: Int, isGap: Bool) {
        for page in pages(range) {
            owner[page] = id
            self.isGap[page] = isGap
        }
    }

    package mutating func remove(id: Int) {
        for page in 0..<pageCount where owner[page] == id {
            owner[page] = -1
            isGap[page] = false
        }
        isQuarantined.remove(id)
    }

    package mutating func removeAllRegions() {
        owner = Array(repeating: -1, count: pageCount)
        isQuarantined = []
    }

    package mutating func quarantine(id: Int) { isQuarantined.insert(id) }

    package mutating func reserve(_ range: ClosedRange<UInt64>, guarded: Bool) {
        reservations.append((pages(range), guarded))
    }

    package mutating func cancel(_ range: ClosedRange<UInt64>, guarded: Bool) -> Bool {
        let wanted = pages(range)
        guard
            let index = reservations.firstIndex(where: {
                $0.pages == wanted && $0.guarded == guarded
            })
        else { return false }
        reservations.remove(at: index)
        return true
    }

    package mutating func addUsable(_ range: ClosedRange<UInt64>) {
        for page in pages(range) { usable |= 1 << page }
    }

    package mutating func withdrawUsable(_ range: ClosedRange<UInt64>) {
        for page in pages(range) { usable &= ~(1 << page) }
    }
}
