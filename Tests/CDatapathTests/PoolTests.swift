import CDatapath
import TestSupport
import Testing

@Suite("A pool of buffers, by one thread at a time")
struct PoolTests {
    @Test(arguments: [1, 7, 8, 9, 64, 1000], [0, 1, 8])
    func `every buffer is handed out once, then none, and the flag is up`(
        count: Int, cache: Int
    ) {
        let pool = TestPool(count: count, cache: cache)
        #expect(!pool.isLow)
        let all = pool.takeAll()
        #expect(Set(all.map(\.name)).count == count && all.count == count)
        #expect(all.count { !$0.isWhole } == 0)
        #expect(pool.isLow && pool.clearLow() && !pool.isLow && !pool.clearLow())
        #expect(pool.figures.failures == 1 && pool.figures.in_use == UInt64(count))
        for buffer in all { pool.give(buffer) }
        #expect(pool.figures.in_use == 0 && pool.takeAll().count == count)
    }

    @Test(arguments: [0, 1, 3, 8, 32])
    func `bursts of every size lose nothing and double nothing`(cache: Int) {
        let pool = TestPool(count: 200, cache: cache)
        var out: [[cdp_buffer]] = []
        for round in 0..<400 {
            let burst = pool.take(round % 71)
            out.append(burst)
            let names = Set(out.joined().map(\.name))
            #expect(names.count == out.joined().count)
            #expect(pool.figures.in_use == UInt64(names.count))
            if out.count > 3 || burst.count < round % 71 { pool.give(out.removeFirst()) }
            if round % 5 == 0, let one = pool.take() { pool.give(one) }
        }
        for burst in out { pool.give(burst) }
        #expect(pool.takeAll().count == 200)
    }

    @Test func `the last one given is the first one taken`() throws {
        let pool = TestPool(count: 100)
        let some = pool.take(20)
        for buffer in some {
            pool.give(buffer)
            #expect(try #require(pool.take()).name == buffer.name)
        }
        pool.give(some)
        #expect(Set(pool.take(20).map(\.name)) == Set(some.map(\.name)))
    }

    @Test func `figures say where the buffers are`() {
        let pool = TestPool(count: 100, cache: 8)
        #expect(pool.figures.in_depot == 100 && pool.figures.in_caches == 0)
        let out = pool.take(10)
        var figures = pool.figures
        // Two magazines left the depot, one whole and a part of the next.
        #expect(figures.in_use == 10 && figures.in_caches == 6 && figures.in_depot == 84)
        #expect(figures.refills == 2 && figures.spills == 0 && figures.peak == 16)
        let more = pool.take(86)
        pool.give(out + more)
        figures = pool.figures
        #expect(figures.in_use == 0 && figures.in_caches + figures.in_depot == 100)
        #expect(figures.peak == 96 && figures.capacity == 100 && figures.failures == 0)
        #expect(figures.spills > 0 && figures.in_caches <= 16)
    }

    @Test func `the flag rises when the depot falls to the mark`() {
        let pool = TestPool(count: 100, cache: 8, lowWaterMark: 40)
        var out = pool.take(48)
        #expect(!pool.isLow)
        out += pool.take(16)
        #expect(pool.isLow && pool.figures.in_depot == 36)
        pool.give(out)
    }

    @Test func `what comes back after a refusal can be had again`() {
        let pool = TestPool(count: 3, cache: 2)
        let out = pool.take(5)
        #expect(out.count == 3 && pool.take() == nil && pool.take(4).isEmpty)
        pool.give(out[1])
        #expect(pool.take()?.name == out[1].name)
    }

    @Test func `a region is added to a pool in use, and taken out when it is free`() {
        let pool = TestPool(count: 50)
        let first = pool.takeAll()
        pool.add(region: 1, count: 70)
        pool.add(region: 2, count: 33)
        let more = pool.takeAll()
        #expect(first.count == 50 && more.count == 103)
        #expect(pool.trim() == [], "nothing is free")
        pool.give(more)
        #expect(pool.figures.capacity == 153 && pool.trim() == [1, 2])
        #expect(pool.figures.capacity == 50 && pool.takeAll().isEmpty)
        pool.give(first)
        #expect(pool.trim() == [], "the first one stays")
        #expect(Set(pool.takeAll().map(\.name)) == Set(first.map(\.name)))
    }

    @Test func `a region with one buffer out stays, and all of its buffers with it`() throws {
        let pool = TestPool(count: 20)
        for region in 1...3 { pool.add(region: region, count: 40) }
        let all = pool.takeAll()
        // Regions are numbered from 0 and lie at 1 << 32 and on.
        let kept = try #require(all.first { $0.address >> 32 == 4 })
        pool.give(all.filter { $0.name != kept.name })
        #expect(pool.trim() == [1, 2])
        let left = pool.takeAll()
        #expect(left.count == 59 && Set(left.map(\.name)).count == 59)
        #expect(left.allSatisfy { [1, 4].contains($0.address >> 32) })
        pool.give(left + [kept])
        pool.add(region: 1, count: 10)
        #expect(pool.trim().count == 2 && pool.takeAll().count == 20)
    }

    @Test func `growing and trimming again and again leaves the pool as it was`() {
        let pool = TestPool(count: 64)
        for round in 1...30 {
            pool.add(region: round, count: 500)
            let all = pool.takeAll()
            #expect(all.count == 564 && Set(all.map(\.name)).count == 564)
            pool.give(all)
            #expect(pool.trim() == [round] && pool.figures.capacity == 64)
        }
        #expect(pool.takeAll().count == 64)
    }
}
