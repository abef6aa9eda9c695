/// One row of results. The JSON names stay; a figure that a case does not have is `null`.
public struct BenchmarkResult: Sendable {
    /// `allocator`, `map`, `cost`, `memory`, `heap`, `pool`, or `reference` for what runs beside
    /// them.
    public var suite: String
    public var caseName: String
    /// Regions or slots; bytes for population.
    public var n: Int
    public var threads = 1
    /// What the times are per: `pair` (free + allocate), `region`, `look-up`, `hop`, `GiB`,
    /// `buffer`.
    public var per: String
    /// Over blocks or passes, of the repetition with the lowest median.
    public var medianNs: Double
    public var meanNs: Double
    /// Of single operations, the clock's own cost (`timer`) included.
    public var percentiles: Percentiles?
    public var failures = 0
    /// Messages to the device: IOTLB updates and invalidations, batch begin and end.
    public var messages = 0
    /// Depends on every result of the work, so that the compiler cannot leave any out.
    public var checksum: UInt64
    public var repetitions = 1
    /// The median of the slowest repetition: what the neighbours did.
    public var worstMedianNs: Double?
    /// The fastest block: what is left where neighbours share the processors.
    public var bestNs: Double?
    /// The median of the fastest repetition, where the row is not that one.
    public var bestMedianNs: Double?
    /// The processor time of the repetition that took least, all threads together.
    public var bestProcessorNs: Double?
    /// Last live byte minus first, over the live bytes.
    public var spanOverLive: Double?
    public var residentBytesPerRegion: Double?
    /// The median hop of the chase that ran right before and after this row's repetition; of a
    /// pool, the array's median in turns with it.
    public var referenceNs: Double?
    /// The median over the best repetition's of the reference row `chase`, and of `floor`, at the
    /// same n.
    public var ratioToChase: Double?
    public var ratioToFloor: Double?
    /// The rate of all threads together over that of one of them alone, on the same space.
    public var ratioToOneThread: Double?
    /// The fastest repetition over that of the kernel's population alone, beside it.
    public var ratioToPopulate: Double?
    /// The same of processor time, all threads together.
    public var processorRatioToPopulate: Double?
    /// The fastest repetition over that of the same regions mapped one message each, per region.
    public var ratioToOneByOne: Double?
    /// The fastest repetition over that of one UPDATE by hand over as much of the same memory.
    public var ratioToRawUpdate: Double?

    /// While another thread maps and unmaps, over the figure without it, in turns.
    public var ratioToQuiet: Double?

    /// The median over the reference beside it: the figure that survives a change of machine.
    public var ratio: Double? { referenceNs.map { medianNs / $0 } }

    public init(
        suite: String, caseName: String, n: Int, per: String, medianNs: Double, meanNs: Double,
        checksum: UInt64
    ) {
        (self.suite, self.caseName, self.n, self.per) = (suite, caseName, n, per)
        (self.medianNs, self.meanNs, self.checksum) = (medianNs, meanNs, checksum)
    }

    /// The repetition with the lowest median, which also tells the highest.
    /// - Precondition: `runs` is not empty.
    static func best(of runs: [BenchmarkResult]) -> BenchmarkResult {
        var best = runs.min { $0.medianNs < $1.medianNs }!
        best.repetitions = runs.count
        best.worstMedianNs = runs.map(\.medianNs).max()
        // A failure in any repetition counts.
        best.failures = runs.map(\.failures).max()!
        return best
    }
}

extension BenchmarkResult: Encodable {
    private enum CodingKeys: String, CodingKey, CaseIterable {
        case suite, n, threads, per, failures, messages, checksum, repetitions
        case caseName = "case"
        case medianNs = "median_ns"
        case meanNs = "mean_ns"
        case p50 = "p50_ns"
        case p99 = "p99_ns"
        case p999 = "p999_ns"
        case max = "max_ns"
        case curve = "curve_ns"
        case worstMedianNs = "worst_median_ns"
        case bestNs = "best_ns"
        case bestMedianNs = "best_median_ns"
        case bestProcessorNs = "best_processor_ns"
        case spanOverLive = "span_over_live"
        case residentBytesPerRegion = "resident_bytes_per_region"
        case referenceNs = "reference_ns"
        case ratio
        case ratioToChase = "ratio_to_chase"
        case ratioToFloor = "ratio_to_floor"
        case ratioToOneThread = "ratio_to_one_thread"
        case ratioToPopulate = "ratio_to_populate"
        case processorRatioToPopulate = "processor_ratio_to_populate"
        case ratioToQuiet = "ratio_to_quiet"
        case ratioToOneByOne = "ratio_to_one_by_one"
        case ratioToRawUpdate = "ratio_to_raw_update"
    }

    public func encode(to encoder: any Encoder) throws {
        var row = encoder.container(keyedBy: CodingKeys.self)
        try row.encode(suite, forKey: .suite)
        try row.encode(caseName, forKey: .caseName)
        try row.encode(n, forKey: .n)
        try row.encode(threads, forKey: .threads)
        try row.encode(per, forKey: .per)
        try row.encode(medianNs, forKey: .medianNs)
        try row.encode(meanNs, forKey: .meanNs)
        try row.encode(percentiles?.p50, forKey: .p50)
        try row.encode(percentiles?.p99, forKey: .p99)
        try row.encode(percentiles?.p999, forKey: .p999)
        try row.encode(percentiles?.max, forKey: .max)
        try row.encode(percentiles?.curve, forKey: .curve)
        try row.encode(failures, forKey: .failures)
        try row.encode(messages, forKey: .messages)
        // Text, because a JSON number holds 53 bits in many readers.
        try row.encode("0x" + String(checksum, radix: 16), forKey: .checksum)
        try row.encode(repetitions, forKey: .repetitions)
        try row.encode(worstMedianNs, forKey: .worstMedianNs)
        try row.encode(bestNs, forKey: .bestNs)
        try row.encode(bestMedianNs, forKey: .bestMedianNs)
        try row.encode(bestProcessorNs, forKey: .bestProcessorNs)
        try row.encode(spanOverLive, forKey: .spanOverLive)
        try row.encode(residentBytesPerRegion, forKey: .residentBytesPerRegion)
        try row.encode(referenceNs, forKey: .referenceNs)
        try row.encode(ratio, forKey: .ratio)
        try row.encode(ratioToChase, forKey: .ratioToChase)
        try row.encode(ratioToFloor, forKey: .ratioToFloor)
        try row.encode(ratioToOneThread, forKey: .ratioToOneThread)
        try row.encode(ratioToPopulate, forKey: .ratioToPopulate)
        try row.encode(processorRatioToPopulate, forKey: .processorRatioToPopulate)
        try row.encode(ratioToQuiet, forKey: .ratioToQuiet)
        try row.encode(ratioToOneByOne, forKey: .ratioToOneByOne)
        try row.encode(ratioToRawUpdate, forKey: .ratioToRawUpdate)
    }
}
