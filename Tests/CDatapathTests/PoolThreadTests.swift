import CDatapath
import Synchronization
import TestSupport
import Testing

@Suite("Threads and their caches of a pool")
struct PoolThreadTests {
    @Test func `what an ending thread keeps goes back to the depot`() {
        let pool = TestPool(count: 100)
        let crew = ThreadCrew(count: 3)
        for thread in 0..<3 {
            crew.run(on: thread) {
                let out = pool.take(13)
                pool.give(out)
            }
        }
        #expect(pool.figures.in_caches > 0)
        crew.end()
        #expect(pool.figures.in_caches == 0 && pool.figures.in_depot == 100)
        #expect(pool.takeAll().count == 100)
    }

    @Test func `hundreds of threads come and go, and their leftovers do not pile up`() {
        let pool = TestPool(count: 64, cache: 8)
        for round in 0..<300 {
            let crew = ThreadCrew(count: 2)
            crew.runAll { thread in
                let out = pool.take(1 + (round + thread) % 9)
                pool.give(out)
            }
            crew.end()
        }
        let all = pool.takeAll()
        #expect(Set(all.map(\.name)).count == 64 && all.count == 64)
    }

    @Test func `a thread has caches of several pools, and ends them all`() {
        let pools = (0..<9).map { TestPool(count: 40 + $0) }
        let crew = ThreadCrew(count: 2)
        crew.runAll { _ in
            for _ in 0..<50 {
                let out = pools.map { $0.take(3) }
                for (pool, buffers) in zip(pools, out) { pool.give(buffers) }
            }
        }
        crew.end()
        for (index, pool) in pools.enumerated() {
            #expect(Set(pool.takeAll().map(\.name)).count == 40 + index)
        }
    }

    @Test func `one thread takes, another gives`() {
        let pool = TestPool(count: 64)
        let letters = Guarded<[cdp_buffer]>([])
        let crew = ThreadCrew(count: 2)
        let rounds = TestKnobs.count("VDPA_POOL_STEPS", 20_000)
        crew.runAll { thread in
            var done = 0
            while done < rounds {
                if thread == 0 {
                    guard let buffer = pool.take() else {
                        ThreadCrew.giveWay()
                        continue
                    }
                    letters.withLock { $0.append(buffer) }
                    done += 1
                } else if let buffer = letters.withLock({ $0.popLast() }) {
                    pool.give(buffer)
                    done += 1
                } else {
                    ThreadCrew.giveWay()
                }
            }
        }
        crew.end()
        #expect(Set(pool.takeAll().map(\.name)).count == 64)
    }

    @Test func `more threads than there are numbers take and give as well`() {
        let surplus = Atomic<Int>(0)
        let pool = TestPool(count: 4096, cache: 4)
        let owners = OwnerTable(count: 4096)
        let crew = ThreadCrew(count: Int(CDP_THREAD_CAPACITY) + 24)
        crew.runAll { thread in
            if cdp_thread_index() == CDP_NO_THREAD { surplus.add(1, ordering: .relaxed) }
            for round in 0..<60 {
                let out = pool.take(1 + (thread + round) % 11)
                for buffer in out { owners.enter(buffer, thread) }
                for buffer in out { owners.leave(buffer, thread) }
                pool.give(out)
            }
        }
        #expect(surplus.load(ordering: .relaxed) >= 24)
        crew.end()
        #expect(owners.clashes == 0)
        #expect(pool.takeAll().count == 4096)
    }
}
