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

private final class Reports: Sendable {
    private let values = Mutex<[Int]>([])
    func append(_ value: Int) { values.withLock { $0.append(value) } }
    var all: [Int] { values.withLock { $0 } }
}
