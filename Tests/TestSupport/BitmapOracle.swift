/// A space of up to 64 pages, one bit each: everything is decided page by page.
package struct BitmapOracle: SpaceOracle {
    package let base: UInt64
    package let granule: UInt64
    package let pageCount: Int
    private var usable: UInt64 = 0
    private var owner: [Int]
    private var isQuarantined: Set<Int> = []
    private var reservations: [(pages: ClosedRange<Int>, guarded: Bool)] = []

    /// No page is usable at first.
    package init(base: UInt64, granule: UInt64, pageCount: Int) {
        precondition((1...64).contains(pageCount))
        self.base = base
        self.granule = granule
        self.pageCount = pageCount
        owner = Array(repeating: -1, count: pageCount)
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
        let (last, overflow) = start.addingReportingOverflow(request.byteCount - 1)
        guard !overflow, request.window.contains(start), request.window.contains(last),
            last <= span.upperBound,
            start & (request.alignment - 1) == request.offset & (request.alignment - 1)
        else { return false }
        return pages(start...last).allSatisfy { kind($0) == nil }
    }

    package func lowestFit(_ request: OracleRequest) -> UInt64? {
        (0..<pageCount).lazy.map(address).first { isFree($0, request) }
    }

    package func highestFit(_ request: OracleRequest) -> UInt64? {
        (0..<pageCount).reversed().lazy.map(address).first { isFree($0, request) }
    }

    package mutating func place(_ range: ClosedRange<UInt64>, id: Int) {
        for page in pages(range) { owner[page] = id }
    }

    package mutating func remove(id: Int) {
        for page in 0..<pageCount where owner[page] == id { owner[page] = -1 }
        isQuarantined.remove(id)
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
