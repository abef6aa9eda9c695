internal import CVhostVDPA
public import IOVAAllocator

// What a test sees of a simulated device and does to it.

extension SimulatedDevice {
    // MARK: DMA

    /// The device reads `byteCount` bytes at `iova`. O(entries) for each entry it crosses.
    ///
    /// - Returns: the bytes; nil where part of them is not mapped for reading, which is recorded.
    public func read(_ iova: IOVA, byteCount: Int, addressSpace: UInt32 = 0) -> [UInt8]? {
        withState { $0.dmaRead(iova, byteCount: byteCount, space: addressSpace) }
    }

    /// The device writes `bytes` at `iova`, all of them or none.
    ///
    /// - Returns: false where part of the range is not mapped for writing, which is recorded.
    @discardableResult
    public func write(_ bytes: [UInt8], at iova: IOVA, addressSpace: UInt32 = 0) -> Bool {
        withState { $0.dmaWrite(bytes, iova, space: addressSpace) }
    }

    /// The address space that a queue's accesses go through: its group's.
    public func addressSpace(ofQueue queue: UInt32) -> UInt32 {
        withState { state in state.addressSpace(ofQueue: Int(queue)) }
    }

    /// Signals a queue's call descriptor, as the device's interrupt does; false where none is
    /// bound.
    @discardableResult
    public func interrupt(queue: Int) -> Bool {
        withState { $0.events[queue].call?.signal() ?? false }
    }

    /// Accesses that were refused, oldest first.
    public var faults: [DMAFault] { withState { $0.faults } }

    public func clearFaults() { withState { $0.faults = [] } }

    // MARK: state

    /// The kernel's tree of an address space by address; empty also where none was created yet.
    public func kernelEntries(addressSpace: UInt32 = 0) -> [TranslationEntry] {
        withState { $0.trees[Int(addressSpace)]?.byAddress ?? [] }
    }

    /// Whether the kernel has created the address space: it does so at the first message for it.
    public func hasAddressSpace(_ addressSpace: UInt32) -> Bool {
        withState { $0.trees[Int(addressSpace)] != nil }
    }

    /// What the device itself translates. It differs from the kernel's tree in a batch, after a
    /// reset, and after a set_map that failed.
    public func deviceEntries(addressSpace: UInt32 = 0) -> [TranslationEntry] {
        withState { $0.deviceTables[Int(addressSpace)].byAddress }
    }

    public var isOpen: Bool { withState { $0.isOpen } }
    public var hasOwner: Bool { withState { $0.owner != nil } }
    public var isInBatch: Bool { withState { $0.inBatch } }
    public var isSuspended: Bool { withState { $0.isSuspended } }
    public var status: UInt8 { withState { $0.status } }
    public var driverFeatures: UInt64 { withState { $0.driverFeatures } }
    public var acknowledgedBackendFeatures: UInt64 { withState { $0.backendFeatures } }

    public func ring(_ queue: Int) -> SimulatedRing {
        withState { state in
            var ring = state.rings[queue]
            ring.kick = state.events[queue].kick?.givenNumber
            ring.call = state.events[queue].call?.givenNumber
            ring.error = state.events[queue].error?.givenNumber
            return ring
        }
    }

    /// Whether two devices, or one at two times, hold the same: for tests that nothing was left.
    public struct MappingSnapshot: Hashable, Sendable {
        public var kernel: [[TranslationEntry]]
        public var device: [[TranslationEntry]]
        public var pinnedByteCount: UInt64
        public var isInBatch: Bool
    }

    public var mappingSnapshot: MappingSnapshot {
        withState { state in
            MappingSnapshot(
                kernel: state.trees.map { $0?.byAddress ?? [] },
                device: state.deviceTables.map(\.byAddress),
                pinnedByteCount: state.pinnedPageCount * 4096, isInBatch: state.inBatch)
        }
    }

    /// Messages that reached the kernel since the device was made, refused ones included.
    public func messageCount(_ kind: IOTLBMessageKind) -> Int {
        withState { $0.messageCounts[kind, default: 0] }
    }

    // MARK: faults to provoke

    /// How often a step was passed since the device was made.
    public func count(of point: FaultPoint) -> Int {
        withState { $0.plan.counts[point, default: 0] }
    }

    /// ioctls and writes since the device was made.
    public var calls: Int { count(of: .call) }

    /// Makes the step number `number`, counted from 1 since the device was made, fail. A call that
    /// fails so was not executed.
    public func fail(_ point: FaultPoint, number: Int, errno: Int32) {
        withState { $0.plan.fail(point, number: number, errno: errno) }
    }

    public func failCall(_ number: Int, errno: Int32) { fail(.call, number: number, errno: errno) }

    /// Makes the next step of this kind fail.
    public func failNext(_ point: FaultPoint, errno: Int32) {
        withState { state in
            let next = state.plan.counts[point, default: 0] + 1
            state.plan.fail(point, number: next, errno: errno)
        }
    }

    /// Forgets planned failures and latency; a device that is gone is back. Counts go on.
    public func clearFaultPlan() { withState { $0.plan.clear() } }

    /// How long each call takes, with the device's lock held.
    public var latency: Duration {
        get { withState { $0.plan.latency } }
        set { withState { $0.plan.latency = newValue } }
    }

    /// The device disappears with call `number`: that one and all later answer ENODEV.
    public func disappear(atCall number: Int) {
        withState { $0.plan.deviceGoneFromCall = number }
    }
}

extension TranslationTable {
    fileprivate var byAddress: [TranslationEntry] {
        entries.sorted { $0.range.first < $1.range.first }
    }
}
