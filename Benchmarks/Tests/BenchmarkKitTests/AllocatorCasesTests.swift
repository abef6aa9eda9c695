import IOVAAllocator
import Testing

@testable import BenchmarkKit

struct AllocatorCasesTests {
    private let clock = TickClock.calibrated()
    private let handle = IOVAHandle(slot: 0, generation: 1)

    private func smallOptions(repetitions: Int) -> AllocatorOptions {
        var options = AllocatorOptions()
        options.makeQuick()
        (options.slotCounts, options.repetitions) = ([300], repetitions)
        (options.minimumWarmUpSteps, options.blockSteps, options.singleSteps) = (512, 2048, 500)
        (options.phaseSeconds, options.queries) = (30, 1024)
        return options
    }

    @Test func slotIs24Bytes() {
        #expect(MemoryLayout<Slot>.stride == 24)
    }

    @Test func everyCaseRunsAndTheSameSeedDoesTheSameWork() throws {
        let options = smallOptions(repetitions: 2)
        var runs: [[BenchmarkResult]] = [[], []]
        for run in runs.indices {
            try AllocatorSuite.run(options, clock: clock) { runs[run].append($0) }
        }
        #expect(
            runs[0].map(\.caseName) == [
                "timer", "chase", "floor", "W1", "W2", "W1-tree", "W2-tree", "W1-1T-shared",
                "W1-2T", "W3-fill", "W3-drain", "W4-rand", "W4-dep", "W4-hot-rand", "W4-hot-dep",
            ])
        // The timer's checksum is the time itself.
        #expect(runs[0].dropFirst().map(\.checksum) == runs[1].dropFirst().map(\.checksum))
        #expect(runs[0].allSatisfy { $0.medianNs > 0 && $0.failures == 0 })
        let twoThreads = runs[0].first { $0.caseName == "W1-2T" }
        #expect(twoThreads?.threads == 2 && twoThreads?.ratioToOneThread ?? 0 > 0)
        #expect(runs[0].first { $0.caseName == "W2" }?.spanOverLive ?? 0 >= 1)
        #expect(runs[0].filter { $0.suite == "allocator" }.allSatisfy { $0.ratioToChase != nil })
    }

    @Test func anotherSeedDoesOtherWork() throws {
        var options = smallOptions(repetitions: 1)
        let first = try ChurnCases.sparse(slots: 300, options: options, clock: clock)
        options.seed = 43
        let second = try ChurnCases.sparse(slots: 300, options: options, clock: clock)
        #expect(first.checksum != second.checksum)
    }

    @Test func impossibleOptionsAreRefusedInWords() {
        var options = smallOptions(repetitions: 0)
        #expect(throws: BenchmarkError.self) {
            try AllocatorSuite.run(options, clock: clock) { _ in }
        }
        options.repetitions = 1
        options.slotCounts = [0]
        #expect(throws: BenchmarkError.self) {
            try AllocatorSuite.run(options, clock: clock) { _ in }
        }
    }

    @Test func faultsOfTheAllocatorAreFound() {
        let range = IOVARange(first: 1 << 32, last: (1 << 33) - 1)
        func fault(_ regions: [(address: UInt64, pages: UInt32)]) -> String? {
            let slots = SlotTable(count: regions.count + 1)
            for (index, region) in regions.enumerated() {
                slots[index] = Slot(address: region.address, handle: handle, pages: region.pages)
            }
            return slots.fault(within: range)
        }
        let base: UInt64 = 1 << 32
        #expect(fault([(base + 4096, 1), (base, 1)]) == nil)
        #expect(fault([(base, 2), (base + 4096, 1)])?.contains("overlaps") == true)
        #expect(fault([(base + 4096, 512)])?.contains("aligned") == true)
        #expect(fault([(base - 4096, 1)])?.contains("outside") == true)
        #expect(fault([(base * 2 - 4096, 2)])?.contains("outside") == true)
        #expect(fault([(.max - 4095, 2)])?.contains("wraps") == true)
    }

    @Test func spanOverLiveCountsTheHoles() {
        let slots = SlotTable(count: 3)
        #expect(slots.spanOverLive() == nil)
        slots[0] = Slot(address: 1 << 32, handle: handle, pages: 1)
        #expect(slots.spanOverLive() == 1)
        slots[2] = Slot(address: (1 << 32) + 3 * 4096, handle: handle, pages: 1)
        #expect(slots.spanOverLive() == 2)
        slots.empty(2)
        #expect(slots.spanOverLive() == 1)
    }
}
