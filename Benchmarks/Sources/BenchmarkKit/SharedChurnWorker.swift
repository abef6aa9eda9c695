internal import CBenchmark
internal import IOVAAllocator
internal import Synchronization

/// One thread's part of W1 on a shared space: its own trace and its own slots.
final class SharedChurnWorker: @unchecked Sendable {
    // Safe to send: one thread at a time uses it, handed over through `PinnedThread`.
    private let space: SharedIOVASpace
    private let trace: ChurnTrace
    let slots: SlotTable
    private var position = 0
    /// Of the sizes that came back: unlike addresses they do not depend on who came first.
    private(set) var checksum: UInt64 = 0
    private(set) var failures = 0
    /// When the last run began and ended, in ticks: one counter serves all processors.
    private(set) var lastRun: Range<UInt64> = 0..<0

    init(_ space: SharedIOVASpace, _ trace: ChurnTrace) {
        self.space = space
        self.trace = trace
        slots = SlotTable(count: trace.fill.count)
    }

    func fill() {
        var tally = Tally()
        for index in trace.fill.indices {
            Self.store(trace.fill[index], in: index, space, slots, &tally)
        }
        add(tally)
    }

    /// Runs `count` steps, from the first step again after the last.
    ///
    /// - Parameter gate: reaches 0 once all who run at the same time are here.
    func run(steps count: Int, gate: borrowing Atomic<Int>) {
        let (space, trace) = (space, trace)
        let steps = trace.steps.span
        var (tally, position) = (Tally(), position)
        gate.subtract(1, ordering: .acquiringAndReleasing)
        while gate.load(ordering: .acquiring) > 0 { cbench_pause() }
        let start = cbench_ticks_begin()
        for _ in 0..<count {
            let step = steps[position]
            Self.release(Int(step.victim), space, slots, &tally)
            Self.store(step.pages, in: Int(step.victim), space, slots, &tally)
            position += 1
            if position == steps.count { position = 0 }
        }
        lastRun = start..<cbench_ticks_end()
        self.position = position
        add(tally)
    }

    private struct Tally {
        var checksum: UInt64 = 0
        var failures = 0
    }

    private func add(_ tally: Tally) {
        checksum = (checksum << 1 | checksum >> 63) ^ tally.checksum
        failures += tally.failures
    }

    @inline(__always)
    private static func store(
        _ pages: UInt32, in index: Int, _ space: SharedIOVASpace, _ slots: borrowing SlotTable,
        _ tally: inout Tally
    ) {
        do {
            let allocation = try space.allocate(
                byteCount: RegionShape.byteCount(pages: pages),
                alignment: RegionShape.alignment(pages: pages))
            slots[index] = Slot(allocation, pages: pages)
            let size = allocation.range.last.rawValue &- allocation.range.first.rawValue
            tally.checksum = (tally.checksum << 1 | tally.checksum >> 63) ^ size
        } catch {
            tally.failures += 1
        }
    }

    @inline(__always)
    private static func release(
        _ index: Int, _ space: SharedIOVASpace, _ slots: borrowing SlotTable,
        _ tally: inout Tally
    ) {
        let slot = slots[index]
        guard slot.isLive else { return }
        do {
            let range = try space.free(slot.handle)
            tally.checksum &+= range.last.rawValue &- range.first.rawValue
        } catch {
            fatalError("a live region could not be freed: \(error)")
        }
        slots.empty(index)
    }
}
