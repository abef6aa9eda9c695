internal import CVhostVDPA
internal import IOVAAllocator

/// Everything that a simulated device knows, under its one lock: the kernel's vhost_vdpa, the
/// parent driver, and the device.
struct DeviceState {
    var configuration: SimulatedDevice.Configuration

    // vhost_vdpa: lives from open to close.
    var isOpen = false
    /// Tells the descriptors of successive opens apart.
    var openNumber = 0
    var owner: Int?
    var backendFeatures: UInt64 = 0
    /// vhost_virtqueue.acked_features; outlives SET_STATUS 0, as in the kernel.
    var ackedFeatures: UInt64 = 0
    /// Created lazily; nil where the kernel has no such address space yet.
    var trees: [TranslationTable?]
    var inBatch = false
    var batchAddressSpace: UInt32 = 0
    var pinnedPageCount: UInt64 = 0
    var configurationCall: EventReference?
    var memoryTable: [UInt8] = []

    // The parent and its device.
    var status: UInt8 = 0
    var driverFeatures: UInt64 = 0
    var isSuspended = false
    /// Tells what the device does after a reset from what it did before.
    var resetCount = 0
    var rings: [SimulatedRing]
    var events: [RingEvents]
    var deviceTables: [TranslationTable]
    var addressSpaceOfGroup: [UInt32]

    // The test's side.
    var plan = FaultPlan()
    var messageCounts: [IOTLBMessageKind: Int] = [:]
    var faults: [DMAFault] = []

    init(_ configuration: SimulatedDevice.Configuration) {
        self.configuration = configuration
        let spaces = Int(configuration.addressSpaceCount)
        let queues = Int(configuration.queueCount)
        trees = Array(repeating: nil, count: spaces)
        deviceTables = Array(repeating: TranslationTable(), count: spaces)
        rings = Array(repeating: SimulatedRing(), count: queues)
        events = Array(repeating: RingEvents(), count: queues)
        addressSpaceOfGroup = Array(repeating: 0, count: Int(configuration.groupCount))
    }

    var kernel: KernelProfile { configuration.kernel }
    var isRunning: Bool { status & Status.driverOK != 0 }

    func group(ofQueue queue: UInt32) -> UInt32 {
        let groups = configuration.groupOfQueue
        return Int(queue) < groups.count ? groups[Int(queue)] : 0
    }

    /// The address space that a queue's accesses go through.
    func addressSpace(ofQueue queue: Int) -> UInt32 {
        let group = Int(group(ofQueue: UInt32(queue)))
        return group < addressSpaceOfGroup.count ? addressSpaceOfGroup[group] : 0
    }

    /// vhost_vdpa_open: -EBUSY for the second opener, otherwise a device fresh from reset.
    mutating func open() -> Int32 {
        guard !isOpen else { return -EBUSY }
        guard !plan.isDeviceGone else { return -ENODEV }
        isOpen = true
        openNumber += 1
        inBatch = false
        resetDevice()
        return 0
    }

    /// vhost_vdpa_release: resets the device, unmaps and unpins everything.
    mutating func close() {
        resetDevice()
        isOpen = false
        owner = nil
        backendFeatures = 0
        ackedFeatures = 0
        inBatch = false
        pinnedPageCount = 0
        configurationCall = nil
        memoryTable = []
        trees = trees.map { _ in nil }
        deviceTables = deviceTables.map { _ in TranslationTable() }
        events = events.map { _ in RingEvents() }
        rings = rings.map { _ in SimulatedRing() }
    }

    /// The parent's reset. The kernel's trees, the pins and an open batch outlive it; vdpa_sim
    /// forgets its own table, unless the kernel knows IOTLB_PERSIST and it was acknowledged.
    mutating func resetDevice() {
        resetCount += 1
        status = 0
        driverFeatures = 0
        isSuspended = false
        for index in rings.indices {
            let size = configuration.driver == .vduse ? 0 : rings[index].size
            rings[index] = SimulatedRing(
                size: size, busyLoopTimeout: rings[index].busyLoopTimeout)
        }
        guard configuration.driver == .vdpaSim else { return }
        addressSpaceOfGroup = addressSpaceOfGroup.map { _ in 0 }
        let persists = kernel.hasPersistence && backendFeatures & 1 << persistBit != 0
        if !persists { deviceTables = deviceTables.map { _ in TranslationTable() } }
    }
}

/// Bits of the virtio device status.
enum Status {
    static let driverOK: UInt8 = 4
    static let featuresOK: UInt8 = 8
    static let needsReset: UInt8 = 0x40
}

private let persistBit = UInt64(CVHOST_BACKEND_F_IOTLB_PERSIST)

/// The IOTLB messages that user space sends.
public enum IOTLBMessageKind: Hashable, Sendable {
    case update, invalidate, batchBegin, batchEnd
    /// Types that vhost-vdpa refuses: MISS, ACCESS_FAIL and unknown numbers.
    case other
}
