internal import HostMemory

/// Collects the operations of one `DMADomain.batch`.
///
/// Not thread-safe: it lives inside the body it was given to.
public struct DMABatch: ~Copyable {
    private let domain: DMADomain
    private var operations: [BatchOperation] = []
    /// How many operations of the caller `operations` are.
    private var closedCount = 0
    /// What follows each other and is alike, not yet in `operations`: one of the two at most.
    private var carved: [CarveRun.Item] = []
    private var freed: [RegionID] = []
    private var freeRight = FreeRight()
    /// Those of `carved`, and else of the last region: the next one mostly has them too.
    private var recentOptions: SettledOptions?
    /// Whether a region was named that may be freed again.
    private var namesRegions = false

    init(_ domain: DMADomain) { self.domain = domain }

    /// The number of the next operation.
    private var count: Int { closedCount + carved.count + freed.count }

    /// All that was named, in order.
    mutating func collected() -> [BatchOperation] {
        closeRuns()
        return operations
    }

    private mutating func append(_ operation: BatchOperation) {
        closeRuns()
        operations.append(operation)
        closedCount += operation.count
    }

    private mutating func closeRuns() {
        if !carved.isEmpty, let recentOptions {
            operations.append(.carve(CarveRun(wanted: recentOptions, items: carved)))
        } else if !freed.isEmpty {
            operations.append(.free(freed, freeRight))
        } else {
            return
        }
        closedCount = count
        carved = []
        freed = []
    }

    /// Names a region of the library's memory. The pages of a region with a mapping of its own are
    /// populated here, before any lock is taken.
    ///
    /// - Returns: the region's ID, valid once the batch has been done.
    public mutating func allocate(
        byteCount: Int, options: AllocationOptions = AllocationOptions()
    ) throws(DMAError) -> RegionID {
        let index = count
        let size: Int
        let wanted: SettledOptions
        do throws(DMAError) {
            (size, wanted) = try settle(byteCount, options)
        } catch {
            throw error.inOperation(index)
        }
        var box: MemoryBox?
        if wanted.options.needsOwnExtent(byteCount: size) {
            do throws(DMAError) {
                box = try domain.memory(size, wanted.options)
            } catch {
                throw error.inOperation(index)
            }
        }
        let id = try domain.newRegion(index, options.tag)
        namesRegions = true
        if let box {
            append(.allocate(id, byteCount: UInt64(size), wanted, box))
        } else {
            if !freed.isEmpty { closeRuns() }
            carved.append(CarveRun.Item(id: id, byteCount: UInt64(size)))
        }
        return id
    }

    private mutating func settle(
        _ byteCount: Int, _ options: borrowing AllocationOptions
    ) throws(DMAError) -> (Int, SettledOptions) {
        if let recent = recentOptions, byteCount > 0, byteCount <= 1 << 46,
            recent.isMade(of: options)
        {
            return ((byteCount + 4095) & ~4095, recent)
        }
        let (size, settled) = try options.settled(byteCount: byteCount)
        let wanted = SettledOptions(settled)
        if !carved.isEmpty { closeRuns() }
        recentOptions = wanted
        return (size, wanted)
    }

    /// Names the caller's memory to be mapped; see `DMADomain.register`.
    public mutating func register(
        _ memory: UnsafeMutableRawBufferPointer, at placement: Placement = .anywhere,
        access: DMAAccess = .readWrite, isolation: Isolation = .automatic,
        tag: RegionTag = .none
    ) throws(DMAError) -> RegionID {
        // Safe: the memory is only described here; the caller keeps it mapped.
        let range = unsafe ExternalMemoryCheck.Range(memory)
        return try register(range, at: placement, access: access, isolation: isolation, tag: tag)
    }

    mutating func register(
        _ memory: ExternalMemoryCheck.Range, at placement: Placement, access: DMAAccess,
        isolation: Isolation, tag: RegionTag
    ) throws(DMAError) -> RegionID {
        let index = count
        do throws(DMAError) {
            try memory.requireWholePages()
        } catch {
            throw error.inOperation(index)
        }
        let id = try domain.newRegion(index, tag)
        // The areas are counted for the whole batch at once, when it is done.
        let external = ExternalRange(
            address: memory.address, byteCount: UInt64(memory.byteCount), areaCount: 1)
        append(.register(id, external, placement, access, isolation))
        namesRegions = true
        return id
    }

    /// Frees a region that no `DMARegion` owns.
    ///
    /// One that the same batch has named is not made at all, and costs no message. A placement that
    /// the caller chooses may reuse the range of a region that the batch has freed before.
    ///
    /// Memory that is freed and registered again in its place costs both messages, also where
    /// address, size and access are the same: the process may have other pages behind the address
    /// by now (mmap(2), madvise(2)), and the device keeps those that it was given.
    ///
    /// - Parameter id: a region of this domain.
    /// - Parameter force: frees it also while it holds part of an enabled ring; see
    ///   `DMADomain.free`.
    public mutating func free(_ id: RegionID, force: Bool = false) throws(DMAError) {
        if namesRegions, domain.isPending(id), cancel(id) {
            append(.nothing)
            return
        }
        let right = FreeRight(force: force)
        if freed.isEmpty || freeRight != right {
            closeRuns()
            freeRight = right
        }
        freed.append(id)
    }

    /// Takes out a region that this batch has named; false where another one has.
    private mutating func cancel(_ id: RegionID) -> Bool {
        closeRuns()
        for index in operations.indices.reversed() where operations[index].cancel(id) {
            domain.discard(id)
            return true
        }
        return false
    }
}

extension AllocationOptions {
    /// The size in whole pages, and the options with nothing left open that another thread would
    /// answer in another way.
    ///
    /// - Throws: `invalidArgument`.
    func settled(byteCount: Int) throws(DMAError) -> (byteCount: Int, options: AllocationOptions) {
        guard byteCount > 0, byteCount <= 1 << 46 else {
            throw DMAError(
                .invalidArgument, "A region of \(byteCount) bytes.",
                remedy: "Ask for 1 byte to 64 TiB.")
        }
        guard alignment.nonzeroBitCount == 1 else {
            throw DMAError(
                .invalidArgument, "An alignment of \(alignment).", remedy: "Use a power of two.")
        }
        var wanted = self
        // Regions of threads on different nodes are not alike, so that the node is settled here.
        if wanted.node == .callingThread {
            wanted.node = NodePolicy.nodeOfCallingThread.map { .preferred($0) } ?? .any
        }
        wanted.alignment = max(alignment, 4096)
        return ((byteCount + 4095) & ~4095, wanted)
    }

    /// Whether a region gets an extent of its own.
    func needsOwnExtent(byteCount: Int) -> Bool {
        // An address that the caller chooses cannot lie in an extent that the library chose.
        guard !placement.isChosen else { return true }
        switch isolation {
        case .dedicated: return true
        case .shared: return false
        case .automatic: return byteCount >= 2 << 20
        }
    }
}

extension DMADomain {
    /// A slot for a region that a batch names.
    func newRegion(_ index: Int, _ tag: RegionTag) throws(DMAError) -> RegionID {
        var record = RegionRecord()
        record.tag = tag
        return try lockedAtOnce { state throws(DMAError) in
            try state.requireOpen()
            guard let id = state.regions.take(record) else {
                throw DMAError(
                    .regionCapacity,
                    "All \(state.regions.capacity) regions of the domain are in use.",
                    remedy: "Make the domain with a larger `regionCapacity`.",
                    needed: UInt64(state.regions.capacity) + 1,
                    limit: UInt64(state.regions.capacity)
                ).inOperation(index)
            }
            return id
        }
    }
}
