internal import Glibc
internal import HostMemory
internal import Synchronization

/// Lets the one owner of a piece of host memory be held by an extent or an operation under way.
final class MemoryBox: Sendable {
    let memory: HostMemory
    /// Page sizes that were tried before.
    let refusals: [PageSizeRefusal]
    /// How long it took to have the memory.
    let populationNanoseconds: UInt64
    private let isZeroedWhenFreed: Bool
    /// A forked child that inherited the memory and drops its copy of this must not write.
    private let processID = getpid()
    /// Whether some region has lived in it: else there is nothing to write over.
    private let wasPublished = Atomic<Bool>(false)

    private init(
        _ memory: consuming HostMemory, isZeroedWhenFreed: Bool, populationNanoseconds: UInt64
    ) {
        self.populationNanoseconds = populationNanoseconds
        refusals = memory.earlierAttempts.compactMap { PageSizeRefusal($0) }
        self.memory = memory
        self.isZeroedWhenFreed = isZeroedWhenFreed
    }

    func publish() { wasPublished.store(true, ordering: .relaxed) }

    /// The last reference goes when every device has let go of the memory and nobody owns it: only
    /// then can nobody write to it any more. Not under the domain's lock.
    deinit {
        if isZeroedWhenFreed, wasPublished.load(ordering: .relaxed), getpid() == processID {
            memory.overwriteWithZeros()
        }
    }

    /// Memory for a region or a shared extent: pages populated, on nodes verified.
    ///
    /// - Parameter reports: whether the options' progress callback is called: never under the
    ///   domain's lock, which the callback may want.
    static func allocate(
        _ byteCount: Int, _ wanted: AllocationOptions, deviceNode: Int?,
        _ system: SystemCalls = SystemCalls(), reports: Bool = false
    ) throws(DMAError) -> MemoryBox {
        var options = HostMemory.Options()
        options.system = system
        options.population.threadCount = wanted.population.threadCount
        if reports { options.population.progress = wanted.population.progress }
        options.isInheritedByFork = wanted.isInheritedByFork
        options.isExcludedFromCoreDumps = wanted.isExcludedFromCoreDumps
        let start = MonotonicClock.nanoseconds()
        do throws(HostMemoryError) {
            return MemoryBox(
                try HostMemory.allocate(
                    byteCount: byteCount, pages: wanted.pages, node: wanted.node,
                    deviceNode: deviceNode, options: options),
                isZeroedWhenFreed: wanted.isZeroedWhenFreed,
                populationNanoseconds: MonotonicClock.nanoseconds() - start)
        } catch {
            throw DMAError(error)
        }
    }
}

extension DMADomain {
    /// Memory for a region with a mapping of its own, had before any lock is taken.
    ///
    /// Where pages are short, what waits in quarantine and what nobody uses is given back first,
    /// and the memory is asked for once more: also where smaller pages than the first choice were
    /// had, and what is given back has larger ones.
    func memory(_ byteCount: Int, _ wanted: AllocationOptions) throws(DMAError) -> MemoryBox {
        func ask() throws(DMAError) -> MemoryBox {
            try MemoryBox.allocate(
                byteCount, wanted, deviceNode: numaNode, hostCalls, reports: true)
        }
        do throws(DMAError) {
            let box = try ask()
            guard !box.refusals.isEmpty, giveBackIdle(largerThan: box.memory.pageSize),
                let better = try? ask()
            else { return box }
            return better
        } catch {
            guard error.code == .hostMemory, giveBackIdle(largerThan: nil) else { throw error }
            return try ask()
        }
    }

    /// Whether memory was given back: what no region lives in, and of it only if some has pages
    /// larger than these.
    private func giveBackIdle(largerThan pageSize: PageSize?) -> Bool {
        do throws(DMAError) {
            return try locked { state throws(DMAError) in
                let least = pageSize?.byteCount ?? 0
                let idle = state.quarantine + state.emptyExtents()
                let helps = idle.contains { extent in
                    extent.memory.map { $0.memory.pageSize.byteCount > least } ?? false
                }
                return helps ? try state.trim() : []
            }.isEmpty == false
        } catch {
            // What cannot be unmapped cannot be given back: the request's own answer stands.
            return false
        }
    }
}

extension Carver {
    /// Writes zeros over a region that is being freed, under the lock: its range can be handed out
    /// as soon as that is free.
    func clean(_ record: RegionRecord) {
        guard key.isZeroedWhenFreed, getpid() == processID else { return }
        // Safe: inside the memory of an extent that the domain holds.
        let bytes = unsafe UnsafeMutableRawBufferPointer(
            start: UnsafeMutableRawPointer(bitPattern: record.address),
            count: Int(record.byteCount))
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }
}
