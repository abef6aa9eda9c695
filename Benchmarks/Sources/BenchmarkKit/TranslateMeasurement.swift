internal import CBenchmark
internal import Synchronization
internal import VDPAMemory

/// One kind of query in one direction, measured.
struct TranslateMeasurement {
    let name: String
    let regions: Int
    let sources: [UInt64]
    /// Of all answers.
    let sum: UInt64
    let isDependent: Bool
    let direction: TranslateDirection
    let options: TranslateOptions
    let clock: TickClock

    /// Passes of both in turns; the repetition with the lowest median of each counts.
    func besideLimit(
        _ translator: AddressTranslator, _ limit: FlatDeltaTable
    ) throws(BenchmarkError) -> BenchmarkResult {
        var ours: [Double] = []
        var limits: [Double] = []
        _ = try check(translator.pass(sources.span, isDependent: isDependent, direction))
        for _ in 0..<options.repetitions {
            var pass: (ours: [Double], limits: [Double]) = ([], [])
            for _ in 0..<options.passes {
                pass.limits.append(
                    try check(limit.pass(sources.span, isDependent: isDependent)))
                pass.ours.append(
                    try check(translator.pass(sources.span, isDependent: isDependent, direction)))
            }
            ours.append(median(pass.ours))
            limits.append(median(pass.limits))
        }
        return row(name, ours, reference: limits.min())
    }

    /// Blocks of a millisecond in turns, with and without a thread that maps. Of the first those
    /// count in which it has made a step. Both by the processor time of this thread: who else runs
    /// on a loaded machine is left out, and what the other thread's steps do to this one is not.
    func whileMapping(_ workload: TranslateWorkload) throws(BenchmarkError) -> BenchmarkResult {
        let mapper = try MappingThread(workload.domain, clock)
        defer { mapper.end() }
        var quiet: [Double] = []
        var busy: [Double] = []
        var (seconds, steps) = (0.0, 0)
        for _ in 0..<options.repetitions {
            for _ in 0..<options.blocks { quiet.append(try block(workload.translator)) }
            mapper.go()
            let start = cbench_ticks_end()
            let first = mapper.steps
            for _ in 0..<options.blocks {
                let before = mapper.steps
                let time = try block(workload.translator)
                if mapper.steps > before { busy.append(time) }
            }
            seconds += clock.nanoseconds(cbench_ticks_end() - start) / 1e9
            steps += mapper.steps - first
            mapper.pause()
        }
        if let failure = mapper.failure { throw BenchmarkError("translate: \(failure)") }
        guard !busy.isEmpty else { throw BenchmarkError("translate: the other thread never ran") }
        var result = row(name + "-maps", busy, reference: nil)
        result.medianNs = median(busy)
        result.repetitions = options.repetitions
        result.ratioToQuiet = median(busy) / median(quiet)
        result.messages = Int(Double(steps) / seconds)
        return result
    }

    /// Nanoseconds of processor time per query.
    private func block(_ translator: AddressTranslator) throws(BenchmarkError) -> Double {
        let start = cbench_thread_ns()
        var (passes, now) = (0, start)
        while now - start < 1_000_000 {
            _ = try check(translator.pass(sources.span, isDependent: isDependent, direction))
            passes += 1
            now = cbench_thread_ns()
        }
        return Double(now - start) / Double(passes * sources.count)
    }

    /// Nanoseconds per query.
    private func check(_ pass: TranslatePass) throws(BenchmarkError) -> Double {
        guard pass.sum == sum else {
            throw BenchmarkError("\(name): the answers add up to \(pass.sum), not \(sum)")
        }
        return clock.nanoseconds(pass.ticks) / Double(sources.count)
    }

    private func row(_ name: String, _ times: [Double], reference: Double?) -> BenchmarkResult {
        var row = BenchmarkResult(
            suite: "translate", caseName: name, n: regions, per: "query",
            medianNs: times.min() ?? 0, meanNs: times.reduce(0, +) / Double(times.count),
            checksum: sum)
        row.repetitions = times.count
        row.worstMedianNs = times.max()
        row.referenceNs = reference
        return row
    }
}

/// Maps and unmaps a region of its own a thousand times a second, on the second processor.
final class MappingThread: Sendable {
    private let isGoing = Atomic<Bool>(false)
    private let isEnding = Atomic<Bool>(false)
    private let count = Atomic<Int>(0)
    private let error = Mutex<String?>(nil)
    private let thread = PinnedThread(processor: 1)

    init(_ domain: DMADomain, _ clock: TickClock) throws(BenchmarkError) {
        let period = clock.ticks(seconds: 1e-3)
        let dedicated = AllocationOptions(isolation: .dedicated, isUninitialised: true)
        thread.start { [self] in
            var next = cbench_ticks_end()
            while !isEnding.load(ordering: .relaxed) {
                guard isGoing.load(ordering: .relaxed) else {
                    cbench_sleep_ns(100_000)
                    next = cbench_ticks_end()
                    continue
                }
                do {
                    try domain.allocate(byteCount: 64 << 10, options: dedicated).free()
                    count.add(1, ordering: .relaxed)
                } catch let failure {
                    error.withLock { $0 = "\(failure)" }
                    return
                }
                next += period
                let now = cbench_ticks_end()
                if now < next { cbench_sleep_ns(UInt64(clock.nanoseconds(next - now))) }
            }
        }
    }

    /// Regions mapped and unmapped so far.
    var steps: Int { count.load(ordering: .relaxed) }
    var failure: String? { error.withLock { $0 } }

    func go() { isGoing.store(true, ordering: .relaxed) }
    func pause() { isGoing.store(false, ordering: .relaxed) }

    func end() {
        isEnding.store(true, ordering: .relaxed)
        thread.wait()
        thread.end()
    }
}
