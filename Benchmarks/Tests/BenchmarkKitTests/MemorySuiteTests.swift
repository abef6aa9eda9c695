import Testing

@testable import BenchmarkKit

struct MemorySuiteTests {
    private let clock = TickClock(nanosecondsPerTick: 1)

    @Test func emptyPoolIsAReasonAndNoRow() {
        let empty = HugePagePool(pageBytes: 2 << 20, total: 0, free: 0)
        for pools in [[], [empty]] {
            let answer = PageKind.size2MiB.available(wanted: 1 << 30, pools: pools)
            #expect(throws: BenchmarkError.self) { try answer.get() }
        }
    }

    @Test func scarcePoolGivesWhatItHasInWholePages() throws {
        let pool = HugePagePool(pageBytes: 2 << 20, total: 8, free: 3)
        #expect(try PageKind.size2MiB.available(wanted: 1 << 30, pools: [pool]).get() == 6 << 20)
        #expect(try PageKind.size2MiB.available(wanted: 5 << 20, pools: [pool]).get() == 4 << 20)
        #expect(try PageKind.size4KiB.available(wanted: 10_000, pools: []).get() == 8192)
    }

    @Test func rowIsPerGiB() {
        let row = MemoryTimes.row("populate-4KiB", 256 << 20, 2, [100, 300, 200])
        #expect(row.medianNs == 800)
        #expect(row.worstMedianNs == 1200)
        #expect(row.n == 256 << 20)
        #expect(row.threads == 2)
    }

    @Test func theRatioIsThatOfTheFastestRepetitions() {
        var times = MemoryTimes()
        (times.alone, times.domain) = ([400, 100, 200], [900, 150, 110])
        let rows = times.rows(.size2MiB, 1 << 30, 1)
        #expect(rows.map(\.caseName) == ["populate-2MiB", "domain-2MiB"])
        #expect(rows.map(\.ratioToPopulate) == [nil, 1.1])
    }

    @Test func pagesOfTheBaseSizePopulate() throws {
        let ns = try PageKind.size4KiB.populationNs(
            byteCount: 130 << 20, threads: 3, clock: .calibrated()
        ).get()
        #expect(ns > 0)
    }
}
