import Glibc
import HostMemory
import Synchronization
import Testing

@Suite struct PopulationTests {
    private static let byteCount = 256 << 20

    private func allocate(_ population: Population, _ system: SystemCalls) throws -> Int {
        var options = HostMemory.Options()
        options.population = population
        options.system = system
        let memory = try HostMemory.allocate(
            byteCount: Self.byteCount, pages: .exactly(.size4KiB), node: .any, options: options)
        return memory.placement.pageCount
    }

    @Test(arguments: [1, 3, 64])
    func everyPageIsThereWhateverTheNumberOfThreads(threads: Int) throws {
        let pages = try allocate(Population(threadCount: threads), SystemCalls())
        #expect(pages == Self.byteCount / 4096)
    }

    @Test func aThreadsFailureIsTheAllocations() throws {
        for failing in 1...4 {
            let name = Footprint.uniqueName()
            var options = HostMemory.Options()
            options.name = name
            options.population = Population(threadCount: 4)
            let shared = Counter()
            options.system = SystemCalls { call in
                call == .populate && shared.next() == failing ? 14 : nil
            }
            do throws(HostMemoryError) {
                _ = try HostMemory.allocate(
                    byteCount: Self.byteCount, pages: .exactly(.size4KiB), options: options)
                Issue.record("chunk \(failing) failed unnoticed")
            } catch {
                #expect(error.code == .exhausted)
                #expect(error.call == .populate)
                #expect(error.errorNumber == 14)
            }
            let left = try Footprint(of: name)
            #expect(left.mappings == 0 && left.descriptors == 0)
        }
    }

    @Test func progressGrowsToTheWhole() throws {
        let reports = Reports()
        _ = try allocate(
            Population(threadCount: 1) { populated, total in
                reports.append(populated)
                return total == Self.byteCount
            }, SystemCalls())
        let all = reports.all
        #expect(all == all.sorted())
        #expect(all.count == 4)
        #expect(all.last == Self.byteCount)
    }

    /// Four chunks of sixteen questions each: the first, the last, and some of other threads'.
    @Test(arguments: [1, 16, 17, 40, 64])
    func aQuestionForNodesThatFailsOnAnyThreadIsTheAllocations(failing: Int) throws {
        let name = Footprint.uniqueName()
        var options = HostMemory.Options()
        options.name = name
        options.population = Population(threadCount: 3)
        let shared = Counter()
        options.system = SystemCalls { call in
            call == .queryNodes && shared.next() == failing ? 12 : nil
        }
        do throws(HostMemoryError) {
            _ = try HostMemory.allocate(
                byteCount: Self.byteCount, pages: .exactly(.size4KiB), options: options)
            Issue.record("question \(failing) failed unnoticed")
        } catch {
            #expect(error.code == .systemCallFailed)
            #expect(error.call == .queryNodes && error.errorNumber == 12)
        }
        let left = try Footprint(of: name)
        #expect(left.mappings == 0 && left.descriptors == 0)
    }

    @Test func asManyThreadsPopulateAsAreAskedForAndNoMoreThanChunks() throws {
        for (wanted, expected) in [(1, 1), (2, 2), (4, 4), (64, 4)] {
            let threads = Threads(expected: expected)
            let pages = try allocate(
                Population(threadCount: wanted),
                SystemCalls { call in
                    if call == .populate { threads.meet() }
                    return nil
                })
            #expect(threads.count == expected)
            #expect(pages == Self.byteCount / 4096)
        }
    }

    /// The callback is asked after each chunk of its thread; whichever it is that it cancels after,
    /// and whatever the other threads are at, nothing is left.
    @Test(arguments: [PageSize.size4KiB, .transparent2MiB])
    func cancellationAtEveryReportOnSeveralThreadsLeavesNothing(size: PageSize) throws {
        for threads in size == .size4KiB ? 1...4 : 2...2 {
            var report = 1
            while true {
                let name = Footprint.uniqueName()
                var options = HostMemory.Options()
                options.name = name
                let counter = Counter()
                let last = report
                options.population = Population(threadCount: threads) { populated, total in
                    counter.next() < last || populated == total
                }
                var wasCancelled = false
                do throws(HostMemoryError) {
                    let memory = try HostMemory.allocate(
                        byteCount: Self.byteCount, pages: .firstOf([size, .size4KiB]),
                        options: options)
                    #expect(memory.byteCount == Self.byteCount)
                } catch {
                    #expect(error.code == .cancelled)
                    wasCancelled = true
                }
                let left = try Footprint(of: name)
                #expect(left.mappings == 0 && left.descriptors == 0, "report \(report)")
                guard wasCancelled else { break }
                report += 1
            }
            // The first of four chunks is always reported before the last where one thread works.
            #expect(threads > 1 || report == 4)
        }
    }

    @Test func cancellationLeavesNothing() throws {
        let name = Footprint.uniqueName()
        var options = HostMemory.Options()
        options.name = name
        options.population = Population(threadCount: 2) { _, _ in false }
        #expect {
            _ = try HostMemory.allocate(
                byteCount: Self.byteCount, pages: .exactly(.size4KiB), options: options)
        } throws: {
            ($0 as? HostMemoryError)?.code == .cancelled
        }
        let left = try Footprint(of: name)
        #expect(left.mappings == 0 && left.descriptors == 0)
    }
}

private final class Counter: Sendable {
    private let value = Atomic<Int>(0)
    func next() -> Int { value.wrappingAdd(1, ordering: .relaxed).newValue }
}

/// Threads that wait for each other, so that each is sure to take part.
private final class Threads: Sendable {
    private let expected: Int
    private let seen = Mutex<Set<UInt>>([])

    init(expected: Int) { self.expected = expected }

    var count: Int { seen.withLock { $0.count } }

    func meet() {
        seen.withLock { _ = $0.insert(UInt(pthread_self())) }
        var patience = 20_000
        while count < expected, patience > 0 {
            usleep(1000)
            patience -= 1
        }
    }
}

private final class Reports: Sendable {
    private let values = Mutex<[Int]>([])
    func append(_ value: Int) { values.withLock { $0.append(value) } }
    var all: [Int] { values.withLock { $0 } }
}
