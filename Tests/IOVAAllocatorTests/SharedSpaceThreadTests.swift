import CDatapath
import IOVAAllocator
import Synchronization
import TestSupport
import Testing

extension SharedSpace {
    /// Threads on one shared space at the same time. Under ThreadSanitizer these tell of data
    /// races.
    ///
    /// `VDPA_SEED` replays the draws of each thread (not how the threads meet), `VDPA_SHARED_STEPS`
    /// makes the runs longer.
    @Suite struct ThreadTests {
        private static let steps = TestKnobs.count("VDPA_SHARED_STEPS", 4000)
        private static let page: UInt64 = 4096
        private static let usable = IOVARange(first: 1 << 32, last: (1 << 32) + (8 << 30) - 1)

        private func space(
            _ usable: IOVARange = usable, capacity: Int, _ limits: IOVAMagazineLimits
        ) throws -> SharedIOVASpace {
            try SharedIOVASpace(
                usable: [usable], regionCapacity: capacity, magazine: limits, threadCache: limits)
        }

        /// The first thing wrong on any thread.
        private final class Complaints: Sendable {
            private let first = Guarded<String?>(nil)
            func add(_ complaint: String) { first.withLock { $0 = $0 ?? complaint } }
            var value: String? { first.withLock { $0 } }
        }

        private struct Region {
            let allocation: IOVAAllocation
            let byteCount: UInt64
        }

        /// What the churning threads hold must be exactly what the space has: called with them
        /// stopped.
        private func check(_ space: SharedIOVASpace, _ held: [[Region]]) {
            let expected = held.joined().map(\.allocation.range).sorted { $0.first < $1.first }
            var entries: [IOVARange] = []
            space.forEachEntry { if $0.kind == .region { entries.append($0.range) } }
            #expect(entries == expected, "the walk differs from what the threads hold")
            #expect(zip(expected, expected.dropFirst()).allSatisfy { $0.last < $1.first })
            #expect(space.regionCount == expected.count)
            let used = expected.reduce(0) { $0 + ($1.byteCount ?? 0) }
            #expect(space.usedByteCount == used)
            #expect(space.freeByteCount == (Self.usable.byteCount ?? 0) - used)
            #expect(space.invariantViolation() == nil)
        }

        @Test(
            "what threads allocate at once never overlaps, and all of it is counted",
            arguments: [
                IOVAMagazineLimits.off, IOVAMagazineLimits(ranges: 24, rangesPerSize: 6),
                .suited(to: 1024),
            ])
        func churn(limits: IOVAMagazineLimits) throws {
            let seed = TestKnobs.seed(0x5a5a_1000)
            print("seed \(seed): replay with VDPA_SEED=\(seed)")
            let crew = ThreadCrew(count: 4)
            defer { crew.end() }
            // Tight enough that permits move between the threads.
            let space = try space(capacity: 400, limits)
            let held = Guarded<[[Region]]>(Array(repeating: [], count: crew.count))
            let complaints = Complaints()
            for round in 0..<3 {
                let steps = Self.steps
                crew.runAll { thread in
                    var random = SeededGenerator(seed: seed &+ UInt64(round * 16 + thread))
                    var mine = held.withLock { $0[thread] }
                    for step in 0..<steps {
                        do {
                            try Self.step(space, &random, &mine, step)
                        } catch {
                            complaints.add("thread \(thread), step \(step): \(error)")
                        }
                    }
                    held.withLock { $0[thread] = mine }
                }
                #expect(complaints.value == nil)
                check(space, held.withLock { $0 })
            }
            for region in held.withLock({ $0.joined().map(\.self) }) {
                try space.free(region.allocation.handle)
            }
            #expect(space.freeByteCount == Self.usable.byteCount)
            space.flushMagazine()
            #expect(space.largestHole() == Self.usable.byteCount)
            #expect(space.invariantViolation() == nil)
        }

        private static func step(
            _ space: SharedIOVASpace, _ random: inout SeededGenerator, _ mine: inout [Region],
            _ step: Int
        ) throws {
            if random.below(110) < mine.count {
                let region = mine.swapRemove(random.below(mine.count))
                // One in eight by other ways than the quick one.
                switch random.below(16) {
                case 0:
                    let range = try space.free(startingAt: region.allocation.range.first)
                    guard range == region.allocation.range else { throw Mismatch("freed \(range)") }
                case 1:
                    try space.quarantine(region.allocation.handle)
                    try space.releaseQuarantined(region.allocation.handle)
                default:
                    let range = try space.free(region.allocation.handle)
                    guard range == region.allocation.range else { throw Mismatch("freed \(range)") }
                }
                return
            }
            let pages = random.pick([1, 1, 1, 2, 3, 512, 600] as [UInt64])
            let alignment = random.pick([4096, 4096, 8192, 2 << 20] as [UInt64])
            let placement: IOVAPlacement =
                random.chance(oneIn: 64) ? .anywhere(.highest) : .anywhere()
            do {
                let got = try space.allocate(
                    byteCount: pages * page, alignment: alignment, placement: placement)
                guard got.range.byteCount == pages * page, got.range.first.isAligned(to: alignment)
                else { throw Mismatch("asked for \(pages) pages, got \(got.range)") }
                mine.append(Region(allocation: got, byteCount: pages * page))
            } catch IOVASpaceError.capacityExhausted {
                // Four threads may hold up to 110 each.
            }
            if step % 500 == 0, space.entry(containing: usable.last)?.kind == .unusable {
                throw Mismatch("the last usable page is not usable")
            }
        }

        @Test("of two threads that free the same handle at once one succeeds, every time")
        func doubleFree() throws {
            let crew = ThreadCrew(count: 2)
            defer { crew.end() }
            let space = try space(capacity: 64, .suited(to: 64))
            let rounds = Self.steps
            let handles = try (0..<32).map { _ in try space.allocate(byteCount: Self.page).handle }
            let current = Guarded(handles)
            let freed = Atomic(0)
            let refused = Atomic(0)
            let complaints = Complaints()
            let meeting = Meeting(2)
            crew.runAll { thread in
                var random = SeededGenerator(seed: UInt64(thread))
                for round in 0..<rounds {
                    meeting.wait()
                    let handle = current.withLock { $0[round % 32] }
                    for _ in 0..<random.below(8) { _ = random.next() }
                    do {
                        try space.free(handle)
                        freed.add(1, ordering: .relaxed)
                    } catch IOVASpaceError.noSuchRegion {
                        refused.add(1, ordering: .relaxed)
                    } catch {
                        complaints.add("\(error)")
                    }
                    meeting.wait()
                    guard round % 2 == thread else { continue }
                    do {
                        let fresh = try space.allocate(byteCount: Self.page).handle
                        current.withLock { $0[round % 32] = fresh }
                    } catch {
                        complaints.add("\(error)")
                    }
                }
            }
            #expect(complaints.value == nil)
            #expect(freed.load(ordering: .relaxed) == rounds)
            #expect(refused.load(ordering: .relaxed) == rounds)
            #expect(space.regionCount == 32)
            #expect(space.invariantViolation() == nil)
        }

        @Test("a free and a quarantine of the same handle at once: one of them has it")
        func freeAgainstQuarantine() throws {
            let crew = ThreadCrew(count: 2)
            defer { crew.end() }
            let space = try space(capacity: 64, .suited(to: 64))
            let region = Guarded<IOVAHandle?>(nil)
            let freed = Atomic(0)
            let held = Atomic(0)
            let complaints = Complaints()
            let meeting = Meeting(2)
            let rounds = Self.steps
            crew.runAll { thread in
                for _ in 0..<rounds {
                    do {
                        if thread == 0 {
                            let fresh = try space.allocate(byteCount: Self.page).handle
                            region.withLock { $0 = fresh }
                        }
                        meeting.wait()
                        guard let handle = region.withLock({ $0 }) else { continue }
                        do throws(IOVASpaceError) {
                            if thread == 0 {
                                try space.free(handle)
                                freed.add(1, ordering: .relaxed)
                            } else {
                                try space.quarantine(handle)
                                held.add(1, ordering: .relaxed)
                                try space.releaseQuarantined(handle)
                            }
                        } catch {
                            if error != .noSuchRegion { complaints.add("\(error)") }
                        }
                        meeting.wait()
                    } catch {
                        complaints.add("\(error)")
                    }
                }
            }
            #expect(complaints.value == nil)
            #expect(freed.load(ordering: .relaxed) + held.load(ordering: .relaxed) == rounds)
            #expect(space.regionCount == 0)
            #expect(space.invariantViolation() == nil)
        }

        @Test("one thread allocates, another frees: neither runs dry, at the very capacity")
        func handOff() throws {
            let crew = ThreadCrew(count: 2)
            defer { crew.end() }
            let space = try space(capacity: 64, IOVAMagazineLimits(ranges: 32, rangesPerSize: 32))
            let box = Guarded<[IOVAHandle]>([])
            let rounds = Self.steps * 4
            let complaints = Complaints()
            let allocated = Atomic(0)
            let freed = Atomic(0)
            crew.runAll { thread in
                func done() -> Int {
                    thread == 0
                        ? allocated.load(ordering: .relaxed) : freed.load(ordering: .relaxed)
                }
                while done() < rounds {
                    do {
                        if thread == 0 {
                            let region = try space.allocate(byteCount: Self.page)
                            box.withLock { $0.append(region.handle) }
                            allocated.add(1, ordering: .relaxed)
                        } else if let handle = box.withLock({ $0.popLast() }) {
                            try space.free(handle)
                            freed.add(1, ordering: .relaxed)
                        }
                    } catch IOVASpaceError.capacityExhausted where thread == 0 {
                        // True whenever 64 regions wait in the box.
                    } catch {
                        complaints.add("thread \(thread): \(error)")
                        return
                    }
                }
            }
            #expect(complaints.value == nil)
            #expect(space.regionCount == 0 && space.freeByteCount == Self.usable.byteCount)
            #expect(space.invariantViolation() == nil)
        }

        @Test("a space grows under threads that free and allocate without a lock")
        func growth() throws {
            let seed = TestKnobs.seed(0x5a5a_4000)
            print("seed \(seed): replay with VDPA_SEED=\(seed)")
            let crew = ThreadCrew(count: 4)
            defer { crew.end() }
            let space = try space(capacity: 64, IOVAMagazineLimits(ranges: 24, rangesPerSize: 6))
            let held = Guarded<[[Region]]>(Array(repeating: [], count: crew.count))
            let complaints = Complaints()
            let rest = Atomic(crew.count - 1)
            let growths = Atomic(0)
            let steps = Self.steps
            crew.runAll { thread in
                do {
                    guard thread > 0 else {
                        // Each growth moves the slots to other memory.
                        while rest.load(ordering: .acquiring) > 0 {
                            try space.grow(regionCapacity: space.regionCapacity + 1)
                            growths.add(1, ordering: .relaxed)
                            ThreadCrew.giveWay()
                        }
                        return
                    }
                    defer { rest.subtract(1, ordering: .releasing) }
                    var random = SeededGenerator(seed: seed &+ UInt64(thread))
                    var mine: [Region] = []
                    for step in 0..<steps { try Self.step(space, &random, &mine, step) }
                    held.withLock { $0[thread] = mine }
                } catch {
                    complaints.add("thread \(thread): \(error)")
                }
            }
            #expect(complaints.value == nil)
            #expect(growths.load(ordering: .relaxed) > 3)
            #expect(space.regionCapacity == 64 + growths.load(ordering: .relaxed))
            check(space, held.withLock { $0 })
            for region in held.withLock({ $0.joined().map(\.self) }) {
                try space.free(region.allocation.handle)
            }
            #expect(space.freeByteCount == Self.usable.byteCount)
        }

        @Test("threads beyond the numbers share what the lock protects, and numbers come back")
        func moreThreadsThanNumbers() throws {
            let space = try space(capacity: 8192, .suited(to: 8192))
            let surplus = Atomic(0)
            let crowd = ThreadCrew(count: Int(CDP_THREAD_CAPACITY) + 24)
            let complaints = Complaints()
            crowd.runAll { _ in
                if cdp_thread_index() == CDP_NO_THREAD { surplus.add(1, ordering: .relaxed) }
                do {
                    let regions = try (0..<8).map { _ in try space.allocate(byteCount: Self.page) }
                    for region in regions { try space.free(region.handle) }
                } catch {
                    complaints.add("\(error)")
                }
            }
            // Other tests' threads may hold numbers, too.
            #expect(surplus.load(ordering: .relaxed) >= 24)
            #expect(complaints.value == nil && space.regionCount == 0)
            #expect(space.invariantViolation() == nil)
            crowd.end()
            let one = ThreadCrew(count: 1)
            #expect(one.run(on: 0) { cdp_thread_index() } < CDP_THREAD_CAPACITY)
            one.end()
            let whole = try space.allocate(byteCount: Self.usable.byteCount ?? 0)
            #expect(whole.range == Self.usable)
        }

        @Test("each running thread has a number of its own")
        func numbers() {
            let crew = ThreadCrew(count: 8)
            defer { crew.end() }
            let first = (0..<8).map { thread in crew.run(on: thread) { cdp_thread_index() } }
            let second = (0..<8).map { thread in crew.run(on: thread) { cdp_thread_index() } }
            #expect(Set(first).count == 8 && first == second)
        }
    }
}

/// Where threads wait for each other, by spinning: so they leave close together.
private final class Meeting: Sendable {
    private let count: Int
    private let arrived = Atomic(0)

    init(_ count: Int) { self.count = count }

    func wait() {
        let mine = arrived.add(1, ordering: .acquiringAndReleasing).newValue
        let goal = (mine + count - 1) / count * count
        while arrived.load(ordering: .acquiring) < goal { ThreadCrew.giveWay() }
    }
}

extension Array {
    /// Takes an element out in O(1), not keeping the order.
    fileprivate mutating func swapRemove(_ index: Int) -> Element {
        swapAt(index, count - 1)
        return removeLast()
    }
}
