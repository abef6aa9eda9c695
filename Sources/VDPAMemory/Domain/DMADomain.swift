internal import HostMemory
internal import Synchronization
internal import VhostVDPA

/// One layout of device addresses, the same in one or more address spaces of devices: hands out
/// memory that the devices can reach, and takes it back.
///
/// Safe to share between threads: the control plane (everything here) takes the domain's lock, and
/// then its device's. Regions keep their domain alive, the domain its device.
///
/// Every call does all it says or nothing. The kernel answers every refusal with EFAULT; the
/// library knows the rules, checks them before the first message, and names the one that was
/// broken (`DMAError`).
///
/// It belongs to the process that made it. In a child made by fork(2) every call that throws
/// answers `notOwner`, figures are those of an empty domain, and nothing is sent, freed or written:
/// not by the end of a region or of the domain either, whose memory the parent uses.
public final class DMADomain: Sendable {
    /// How a domain behaves.
    public typealias Options = DMADomainOptions

    /// The addresses that regions may have: those that every attached device can reach.
    public var range: IOVARange { look(inChild: firstRange) { state in state.range } }
    /// The range that the domain began with: what a forked child is told.
    private let firstRange: IOVARange
    private let forkMark: ForkMark
    private let observer: (@Sendable (DMAEvent) -> Void)?
    let hostCalls: SystemCalls
    let core: DomainCore

    /// A domain over one address space of a device.
    ///
    /// Page 0 is never chosen, nor the platform's windows, nor `options.reserved`.
    ///
    /// - Throws: `addressSpace` where it does not exist or another domain has it;
    ///   `invalidArgument`; `notSupported` on a kernel whose pages are not 4 KiB.
    public init(
        _ device: VDPADevice, addressSpace: UInt32 = 0, options: Options = Options()
    ) throws(DMAError) {
        let space = try Layout.space(for: device, options)
        let range = try Layout.range(for: device, options.window)
        let core = DomainCore(
            DomainState(
                space: space, range: range,
                target: MappingTarget(device, addressSpace: addressSpace), options: options))
        try device.claim(addressSpace: addressSpace, ledger: core)
        forkMark = ForkMark()
        firstRange = range
        observer = options.observer
        hostCalls = options.hostCalls
        self.core = core
    }

    deinit { close() }

    /// Runs `body` under the lock; what it returns for release goes after the lock is free.
    func locked<Result>(
        _ body: (inout DomainState) throws(DMAError) -> Result
    ) throws(DMAError) -> Result {
        try forkMark.requireOwnProcess()
        guard observer != nil else { return try withState(body) }
        do throws(DMAError) {
            let result = try withState(body)
            tellObserver()
            return result
        } catch {
            tellObserver()
            throw error
        }
    }

    /// Refuses a forked child. It must not even take the lock: another thread of
    /// the parent may have held it, and nobody would ever let go of the child's copy.
    func requireOwnProcess() throws(DMAError) { try forkMark.requireOwnProcess() }

    /// What cannot throw, under the lock.
    func look<Result>(
        inChild: @autoclosure () -> Result, _ body: (inout DomainState) -> Result
    ) -> Result {
        guard forkMark.isOwnProcess else { return inChild() }
        let (result, departed) = core.state.withLock { value in
            // Safe to send: as in `withState`.
            nonisolated(unsafe) let result = (body(&value), value.takeDeparted())
            return unsafe result
        }
        withExtendedLifetime(departed) {}
        return result
    }

    /// As `locked`, for what gives nothing up and has nothing to tell: small regions that come and
    /// go without a message.
    func lockedAtOnce<Result>(
        _ body: (inout DomainState) throws(DMAError) -> Result
    ) throws(DMAError) -> Result {
        try forkMark.requireOwnProcess()
        return try core.state.withLock { value throws(DMAError) in
            // Safe to send: as in `withState`.
            nonisolated(unsafe) let result = try body(&value)
            return unsafe result
        }
    }

    private func withState<Result>(
        _ body: (inout DomainState) throws(DMAError) -> Result
    ) throws(DMAError) -> Result {
        // Whether it returns or throws: what has left the domain goes when the lock is free.
        let (result, departed) = core.state.withLock { value in
            let result: Swift.Result<Result, DMAError>
            do throws(DMAError) {
                result = .success(try body(&value))
            } catch {
                result = .failure(error)
            }
            // Safe to send: the lock is what guards everything that the result may share with
            // the state, and extents are used outside it only to be released.
            nonisolated(unsafe) let both = (result, value.takeDeparted())
            return unsafe both
        }
        withExtendedLifetime(departed) {}
        return try result.get()
    }

    /// With no lock held, so that the observer may use the domain.
    private func tellObserver() {
        guard let observer else { return }
        for event in look(inChild: [], { state in state.takeEvents() }) { observer(event) }
    }

    // MARK: regions

    /// Memory from the library, mapped for the device.
    ///
    /// - Parameter options: pages, node, placement, access and isolation.
    /// - Parameter byteCount: at least 1; rounded up to 4 KiB.
    /// - Returns: the region. It reads as zeros unless `options.isUninitialised`.
    /// - Throws: `hostMemory`, `noSpace`, `entryLimit`, `lockedMemoryLimit`, `kernelRefused`, ...
    /// - Complexity: a carved region (below 2 MiB) costs O(log n) and no message while a shared
    ///   extent has room; otherwise the pages are populated, and one message maps them.
    ///   System calls: none, or memfd_create, mmap, mbind, madvise, move_pages and one write.
    public func allocate(
        byteCount: Int, options: AllocationOptions = AllocationOptions()
    ) throws(DMAError) -> DMARegion {
        var request = CarveRequest()
        if request.fill(byteCount: byteCount, options) {
            var carved = CarvedRegion()
            let isCarved = try lockedAtOnce { state throws(DMAError) in
                try state.carveAtOnce(request, &carved)
            }
            if isCarved { return DMARegion(carved, in: self) }
        }
        let id = try batch { batch throws(DMAError) in
            try batch.allocate(byteCount: byteCount, options: options)
        }
        return try DMARegion(owning: id, in: self)
    }

    /// Maps the caller's memory.
    ///
    /// - Parameters:
    ///   - access: what the device may do.
    ///   - memory: whole 4 KiB pages, mapped until the region is gone. A device that maps by
    ///     virtual address (VDUSE) takes shared, file-backed memory only.
    ///   - placement: where; `.anywhere` makes IOVA and address alike modulo 2 MiB where it can.
    ///   - isolation: `.shared` lets neighbours of one batch become one mapping.
    ///   - tag: who owns the region, for reports.
    /// - Throws: `unsuitableMemory`, `overlap`, `outsideRange`, ...
    public func register(
        _ memory: UnsafeMutableRawBufferPointer, at placement: Placement = .anywhere,
        access: DMAAccess = .readWrite, isolation: Isolation = .automatic,
        tag: RegionTag = .none
    ) throws(DMAError) -> DMARegion {
        // Safe: the memory is only described here; the caller keeps it mapped.
        let range = unsafe ExternalMemoryCheck.Range(memory)
        let id = try batch { batch throws(DMAError) in
            try batch.register(
                range, at: placement, access: access, isolation: isolation, tag: tag)
        }
        return try DMARegion(owning: id, in: self)
    }

    /// Frees a region by its ID, unless a `DMARegion` owns it. When this returns, the device cannot
    /// reach a dedicated region any more, unless unmapping is deferred.
    ///
    /// - Parameter id: a region of this domain.
    /// - Parameter force: frees it also while it holds part of an enabled ring: the caller vouches
    ///   that the device does not use it, as the next region may lie there at once.
    public func free(_ id: RegionID, force: Bool = false) throws(DMAError) {
        try free(id, FreeRight(force: force))
    }

    func free(_ id: RegionID, _ right: FreeRight) throws(DMAError) {
        let isDone = try lockedAtOnce { state throws(DMAError) in
            try state.uncarveAtOnce(id, right)
        }
        if !isDone { try commit([.free([id], right)]) }
    }

    /// Unmaps the caller's memory; the same as `free`, under the name that goes with `register`.
    /// The memory itself is left alone. A device that was detached without unmapping can reach it
    /// until its file is closed.
    public func unregister(_ id: RegionID) throws(DMAError) { try free(id) }

    /// Several operations, all or none, in one BATCH_BEGIN ... BATCH_END where there are several
    /// messages and the device can.
    ///
    /// `body` only collects: memory is prepared as it names it, and everything else happens when
    /// it returns. A region that it names can be used once `batch` has returned. Where `body`
    /// throws, nothing has happened.
    ///
    /// - Throws: with `operationIndex` set to the operation that was refused, where it was one.
    public func batch<Result>(
        _ body: (inout DMABatch) throws(DMAError) -> Result
    ) throws(DMAError) -> Result {
        try forkMark.requireOwnProcess()
        var batch = DMABatch(self)
        do throws(DMAError) {
            let result = try body(&batch)
            try commit(batch.collected())
            return result
        } catch {
            discard(batch.collected())
            throw error
        }
    }

    func commit(_ operations: [BatchOperation]) throws(DMAError) {
        guard !operations.isEmpty else { return }
        // The memory is looked at outside the lock; again, should a device of another kind be
        // attached meanwhile.
        var checked = operations
        var checkedFor: MemoryNeeds?
        var supply = ExtentSupply()
        while true {
            let needs = try locked { state throws(DMAError) in state.memoryNeeds }
            if needs != checkedFor {
                checked = operations
                try ExternalMemoryCheck.inspect(&checked, needs)
                checkedFor = needs
            }
            // What comes back is released here, outside the lock: giving pages back takes time.
            let answer = try locked { state throws(DMAError) -> CommitAnswer? in
                state.memoryNeeds == needs ? try state.commit(checked, supply) : nil
            }
            switch answer {
            case .done(let released): return withExtendedLifetime(released) {}
            case .needsMemory(let need): try provide(need, &supply)
            case nil: continue
            }
        }
    }

    /// Gives back the IDs that a batch named and that did not come to be.
    private func discard(_ operations: [BatchOperation]) {
        look(inChild: ()) { state in
            for operation in operations { operation.forEachNamed { state.regions.give($0) } }
        }
    }

    /// Gives back the ID of a region that a batch has named and will not make.
    func discard(_ id: RegionID) {
        look(inChild: ()) { state in state.regions.give(id) }
    }

    /// Whether a batch has named the region and not made it yet.
    func isPending(_ id: RegionID) -> Bool {
        look(inChild: false) { state in state.regions.record(id)?.state == .pending }
    }

    /// Gives up a region whose free was refused.
    func abandon(_ id: RegionID) {
        look(inChild: ()) { state in state.abandon(id) }
        tellObserver()
    }

    /// Where the library's memory is had by default.
    var numaNode: Int? { look(inChild: nil) { state in state.numaNode } }

    /// What the domain holds and has done.
    public var statistics: DMAStatistics {
        look(inChild: DMAStatistics()) { state in DMAStatistics(state) }
    }

    // MARK: the life of the mappings

    /// Unmaps what waits in quarantine (see `Options.Unmapping.deferred`).
    public func flush() throws(DMAError) {
        let released = try locked { state throws(DMAError) in try state.flush() }
        withExtendedLifetime(released) {}
    }

    /// Unmaps what has waited in quarantine for at least `age`: for a timer of the application's.
    public func flush(olderThan age: Duration) throws(DMAError) {
        let released = try locked { state throws(DMAError) in
            try state.flush(olderThan: age.nanoseconds)
        }
        withExtendedLifetime(released) {}
    }

    /// Gives back shared extents in which no region lives.
    public func trim() throws(DMAError) {
        let released = try locked { state throws(DMAError) in try state.trim() }
        withExtendedLifetime(released) {}
    }

    /// Brings every device's table back to what this domain has mapped: after a reset, a resume,
    /// or an undo that failed.
    ///
    /// It also repairs what nobody can see: a device that could not take the table at BATCH_END, to
    /// which the kernel answers success all the same (drivers/vhost/vdpa.c ignores what the
    /// parent's `set_map` says). The domain and the kernel then hold every mapping, and the device
    /// none: its accesses fault. `needsRemap` does not tell; a driver that meets such faults calls
    /// this.
    ///
    /// For its duration the device can reach nothing: stop its queues first.
    public func remap() throws(DMAError) {
        let released = try locked { state throws(DMAError) in try state.remap() }
        withExtendedLifetime(released) {}
    }

    /// Unmaps everything and gives all memory back. Regions that are left name nothing any more.
    ///
    /// Also what the end of the domain's life does. Where unmapping fails, the memory and the
    /// address space stay taken until the device is closed, with which the kernel unmaps
    /// everything.
    ///
    /// - Returns: what was still live, by tag; the observer is told the same. Nothing where the
    ///   domain was closed before, or in a forked child.
    @discardableResult
    public func close() -> DMALeakReport {
        let nothing = (closed: [ClosedTarget](), leaks: DMALeakReport(leaks: []))
        let (closed, leaks) = look(inChild: nothing) { state in
            let leaks = state.noteLeaks()
            return (closed: state.close(), leaks: leaks)
        }
        for target in closed {
            if target.isUnmapped {
                target.device.release(addressSpace: target.addressSpace)
            } else {
                target.device.keepUntilClosed(target.extents)
            }
        }
        withExtendedLifetime(closed) {}
        tellObserver()
        return leaks
    }
}
