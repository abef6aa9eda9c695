internal import IOVAAllocator

/// How much of the allocator's workloads to run.
public struct AllocatorOptions: Sendable {
    public var cases = AllocatorCase.standard
    public var slotCounts = [1_000, 10_000, 100_000, 1_000_000]
    public var seed: UInt64 = 42
    public var repetitions = 3
    /// Steps before the clock runs: as many as slots, at least this many.
    public var minimumWarmUpSteps = 100_000
    /// Steps timed in blocks, and then one by one.
    public var blockSteps = 1_000_000
    public var singleSteps = 300_000
    /// Each phase ends here, however few of its steps have run.
    public var phaseSeconds = 1.0
    /// Addresses looked up per pass of W4, a power of two.
    public var queries = 1 << 20
    public var passes = 5

    public init() {}

    /// A smoke run: every code path, no figure to rely on.
    public mutating func makeQuick() {
        slotCounts = [1_000, 10_000]
        repetitions = 1
        (minimumWarmUpSteps, blockSteps, singleSteps) = (20_000, 100_000, 30_000)
        (phaseSeconds, queries, passes) = (0.2, 1 << 16, 3)
    }

    func warmUpSteps(slots: Int) -> Int { max(slots, minimumWarmUpSteps) }

    func stepCount(slots: Int) -> Int { warmUpSteps(slots: slots) + blockSteps + singleSteps }
}

/// Where the workloads' ranges start: clear of IOVA 0 and of the platform's windows below 4 GiB,
/// which a domain would not hand out either.
let workloadBase = IOVA(1 << 32)

func workloadRange(byteCount: UInt64) -> IOVARange {
    IOVARange(first: workloadBase, byteCount: byteCount)!
}
