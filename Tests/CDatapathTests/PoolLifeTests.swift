import CDatapath
import CTestSupport
import TestSupport
import Testing

/// In processes of their own: what other tests map would count.
@Suite("The end of a pool, of its threads, and of its process")
struct PoolLifeTests {
    @Test func `a pool ends while others have caches of it, and they end later`() async {
        await #expect(processExitsWith: .success) {
            let crew = ThreadCrew(count: 3)
            let survivor = TestPool(count: 30)
            let before = cdp_pool_mapped_byte_count()
            for _ in 0..<20 {
                let pool = TestPool(count: 1000)
                crew.runAll { _ in
                    for _ in 0..<20 {
                        let (out, others) = (pool.take(11), survivor.take(2))
                        pool.give(Array(out.dropFirst(5)))
                        survivor.give(others)
                    }
                }
                pool.end()
                precondition(cdp_pool_mapped_byte_count() == before, "all of it is unmapped")
            }
            crew.end()
            precondition(survivor.takeAll().count == 30)
            survivor.end()
            precondition(cdp_pool_mapped_byte_count() == 0, "nothing is left")
        }
    }

    @Test func `a thread that ends at the same time as a pool touches nothing of it`() async {
        await #expect(processExitsWith: .success) {
            for _ in 0..<200 {
                let pool = TestPool(count: 100)
                let crew = ThreadCrew(count: 2)
                crew.runAll { _ in pool.give(pool.take(9)) }
                let other = ThreadCrew(count: 1)
                // The pool goes while the crew's threads do.
                other.runAll { _ in pool.end() }
                crew.end()
                other.end()
            }
            precondition(cdp_pool_mapped_byte_count() == 0, "nothing is left")
        }
    }

    @Test func `a child made by fork makes and ends pools, whoever held the lock then`() async {
        await #expect(processExitsWith: .success) {
            let crew = ThreadCrew(count: 2)
            let isDone = Guarded(false)
            crew.runAll { thread in
                if thread == 1 {
                    while !isDone.withLock({ $0 }) { TestPool(count: 1).end() }
                    return
                }
                let pool = TestPool(count: 30)
                for _ in 0..<100 {
                    let status = ctest_child_runs {
                        let pool = TestPool(count: 40)
                        let isWhole = pool.takeAll().count == 40
                        pool.end()
                        return isWhole ? 0 : 1
                    }
                    precondition(status == 0, "the child ended with \(status)")
                }
                precondition(pool.takeAll().count == 30)
                isDone.withLock { $0 = true }
            }
            crew.end()
        }
    }

    @Test func `where there is no memory, growing changes nothing`() async {
        await #expect(processExitsWith: .success) {
            let pool = TestPool(count: 64)
            let before = cdp_pool_mapped_byte_count()
            precondition(ctest_limit_address_space(16 << 20) == 0)
            precondition(!pool.tryToAdd(region: 1, count: 1 << 24), "256 MiB of magazines")
            precondition(cdp_pool_mapped_byte_count() == before)
            precondition(pool.figures.capacity == 64 && pool.takeAll().count == 64)
        }
    }
}
