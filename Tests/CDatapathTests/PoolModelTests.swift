import CDatapath
import Synchronization
import TestSupport
import Testing

/// Random operations on several threads at once, some of them without a number's cache, while the
/// pool grows and is trimmed: no buffer has two owners, and none is lost.
@Suite("A pool under random use")
struct PoolModelTests {
    @Test(arguments: [0, 1, 3, 16])
    func `no buffer has two owners, and none is lost`(cache: Int) {
        let seed = TestKnobs.seed(UInt64(0x5eed + cache))
        let steps = TestKnobs.count("VDPA_POOL_STEPS", 20_000)
        print("pool model: VDPA_SEED=\(seed)")
        let (perRegion, regions) = (200, 4)
        let pool = TestPool(count: perRegion, cache: cache)
        let owners = OwnerTable(count: perRegion, regions: regions)
        let workers = 3
        let isDone = Atomic<Int>(0)
        let crew = ThreadCrew(count: workers + 1)
        crew.runAll { thread in
            var random = SeededGenerator(seed: seed &+ UInt64(thread))
            if thread == workers {
                Self.control(pool, regions, perRegion, &random) {
                    isDone.load(ordering: .acquiring) == workers
                }
            } else {
                Self.work(pool, owners, thread, steps, &random)
                isDone.add(1, ordering: .acquiringAndReleasing)
            }
        }
        crew.end()
        let figures = pool.figures
        #expect(owners.clashes == 0 && figures.in_use == 0 && figures.in_caches == 0)
        let all = pool.takeAll()
        #expect(all.count == Int(figures.capacity))
        #expect(Set(all.map(\.name)).count == all.count)
    }

    private static func work(
        _ pool: TestPool, _ owners: OwnerTable, _ thread: Int, _ steps: Int,
        _ random: inout SeededGenerator
    ) {
        var held: [cdp_buffer] = []
        func give(_ count: Int) {
            let some = Array(held.suffix(count))
            held.removeLast(some.count)
            for buffer in some { owners.leave(buffer, thread) }
            if some.count == 1 { pool.give(some[0]) } else { pool.give(some) }
        }
        for _ in 0..<steps {
            switch random.weighted([4, 4, 2, 2, 1]) {
            case 0:
                guard let buffer = pool.take() else { continue }
                owners.enter(buffer, thread)
                held.append(buffer)
            case 1: give(min(held.count, 1))
            case 2:
                let some = pool.take(random.below(50))
                for buffer in some { owners.enter(buffer, thread) }
                held += some
            case 3: give(random.below(held.count + 1))
            default:
                // Any order: what is given is not what was taken last.
                held.shuffle(using: &random)
            }
        }
        give(held.count)
    }

    private static func control(
        _ pool: TestPool, _ regions: Int, _ perRegion: Int, _ random: inout SeededGenerator,
        until isDone: () -> Bool
    ) {
        var missing = Set(1..<regions)
        while !isDone() {
            switch random.below(3) {
            case 0:
                guard let region = missing.sorted().first else { continue }
                missing.remove(region)
                pool.add(region: region, count: perRegion)
            case 1: missing.formUnion(pool.trim())
            default: _ = pool.figures
            }
            ThreadCrew.giveWay()
        }
    }
}
