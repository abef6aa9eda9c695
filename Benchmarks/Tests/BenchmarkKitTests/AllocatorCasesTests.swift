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
                "W5-best", "W5-worst",
            ])
        // The timer's checksum is the time itself.
        #expect(runs[0].dropFirst().map(\.checksum) == runs[1].dropFirst().map(\.checksum))
        #expect(runs[0].allSatisfy { $0.medianNs > 0 && $0.failures == 0 })
        let twoThreads = runs[0].first { $0.caseName == "W1-2T" }
        #expect(twoThreads?.threads == 2 && twoThreads?.ratioToOneThread ?? 0 > 0)
        #expect(runs[0].first { $0.caseName == "W2" }?.spanOverLive ?? 0 >= 1)
        #expect(runs[0].filter { $0.suite == "allocator" }.allSatisfy { $0.ratioToChase != nil })
        #expect(runs[0].filter { $0.suite == "allocator" }.allSatisfy { ($0.ratio ?? 0) > 0 })
    }

    @Test func everySizeDistributionRunsSparseAndTight() throws {
        var options = smallOptions(repetitions: 1)
        options.cases = AllocatorCase.distributions
        var rows: [BenchmarkResult] = []
        try AllocatorSuite.run(options, clock: clock) { rows.append($0) }
        #expect(
            rows.map(\.caseName) == [
                "timer", "chase", "floor", "W1-4k", "W2-4k", "W1-2m", "W2-2m", "W1-pow2",
                "W2-pow2", "W1-drift", "W2-drift",
            ])
        // One size only: no hole that is left can be of no use.
        for row in rows where row.caseName.hasSuffix("-4k") || row.caseName.hasSuffix("-2m") {
            #expect(row.failures == 0, "\(row.caseName)")
            #expect(row.spanOverLive ?? 0 >= 1, "\(row.caseName)")
        }
        #expect(Set(rows.dropFirst(3).map(\.checksum)).count == 8)
    }

    @Test func namedCasesAloneRun() throws {
        var options = smallOptions(repetitions: 1)
        options.cases = [.tightPowers, .sparse]
        var names: [String] = []
        try AllocatorSuite.run(options, clock: clock) { names.append($0.caseName) }
        #expect(names == ["timer", "chase", "floor", "W1", "W2-pow2"])
    }

    @Test func everyCaseIsStandardOrADistribution() {
        let all = Set(AllocatorCase.standard + AllocatorCase.distributions)
        #expect(all == Set(AllocatorCase.allCases))
    }

    @Test func alignedHolesAreFoundBetweenLiveRegions() {
        let base: UInt64 = 1 << 32
        let range = IOVARange(first: IOVA(base), byteCount: 6 << 20)!
        let slots = SlotTable(count: 2)
        #expect(slots.hole(for: 512 * 3, within: range) == base)
        #expect(slots.hole(for: 512 * 3 + 1, within: range) == nil)
        // One page at the front and one in the last 2 MiB: one aligned hole in the middle.
        slots[0] = Slot(address: base, handle: handle, pages: 1)
        slots[1] = Slot(address: base + (5 << 20), handle: handle, pages: 1)
        #expect(slots.hole(for: 512, within: range) == base + (2 << 20))
        #expect(slots.hole(for: 513, within: range) == base + (2 << 20))
        #expect(slots.hole(for: 1024, within: range) == nil)
        #expect(slots.hole(for: 511, within: range) == base + 4096)
        slots[0] = Slot(address: base + (3 << 20), handle: handle, pages: 1)
        #expect(slots.hole(for: 512, within: range) == base)
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
