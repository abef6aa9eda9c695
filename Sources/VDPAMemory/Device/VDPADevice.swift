internal import HostMemory
public import IOVAAllocator
internal import Synchronization
public import VhostVDPA

/// A vhost-vdpa device: its file, what was negotiated, and its control operations.
///
/// The kernel lets a device file be opened only once, so whoever drives the device and whoever
/// maps its memory share this object. It is safe to use from any thread. The file is closed when
/// the last reference goes: a domain keeps its devices alive, a region its domain.
public final class VDPADevice: Sendable {
    /// The device file's path, or what the simulator calls itself.
    public var name: String { traits.name }

    /// What the device can address. Windows of the platform inside it are in `reservedWindows`.
    public let iovaRange: IOVARange

    /// The NUMA node that the device is attached to, nil where it has none (simulators, VDUSE).
    public var numaNode: Int? { traits.numaNode }

    /// Ranges inside `iovaRange` that the platform uses itself (MSI windows and the like).
    public var reservedWindows: [IOVARange] { traits.reservedWindows }

    /// How many address spaces the device has; 1 where the kernel is too old to say.
    public let addressSpaceCount: UInt32

    /// A forked child must not take the locks, which another thread may have held at the fork.
    let forkMark = ForkMark()
    let vhost: VhostDevice
    let traits: DeviceTraits
    /// What was negotiated with vhost-vdpa: batches, address spaces, suspend and so on.
    public let backendFeatures: BackendFeatures

    let channel: IOTLBChannel
    /// Held for the length of a batch: the kernel's batch flag belongs to the file, so that two
    /// address spaces of one device are two batches in sequence.
    let batchLock = Mutex<Void>(())
    /// Held for the length of a control operation that records what it told the device.
    ///
    /// Lock order: this one, then a domain's, then `batchLock`; `claims` and `records` are held
    /// for a look or a note only. So a domain must not call control operations under its lock.
    let controlLock = Mutex<Void>(())
    let claims = Mutex(AddressSpaceClaims())
    private let records = Mutex(RingRecords())
    /// Changes with every change of `records`, so that who frees memory asks for the rings again
    /// only when there may be others.
    private let recordsVersion = Atomic<UInt64>(0)
    private let resetCount = Atomic<UInt64>(0)
    /// Memory of closed domains that the device may still reach. Declared behind `vhost`, so that
    /// the file is closed before it goes.
    private let stillMapped = Mutex<[Extent]>([])

    /// Opens a device.
    ///
    /// System calls: open(2), then SET_OWNER, GET_ and SET_BACKEND_FEATURES, GET_IOVA_RANGE,
    /// GET_AS_NUM; sysfs is read for the node, the windows and the limits.
    ///
    /// - Important: opening resets a device (drivers/vhost/vdpa.c, `vhost_vdpa_open`).
    /// - Throws: `deviceUnavailable` (not found, no permission, open elsewhere: EBUSY),
    ///   `notOwner`, `notSupported` on kernels before 5.19.
    public convenience init(path: String) throws(DMAError) {
        let file = KernelDeviceFile.open(path: path)
        let numbers = CharacterDevice.numbers(path: path)
        try self.init(
            opened: file.map { $0 },
            traits: .ofMachine(name: path, major: numbers.major, minor: numbers.minor))
    }

    /// A device from the answer to open(2).
    package convenience init(
        opened: Result<any DeviceFile, Errno>, traits: DeviceTraits
    ) throws(DMAError) {
        switch opened {
        case .success(let file): try self.init(file: file, traits: traits)
        case .failure(let errno): throw DMAError(VhostError.open(errno, path: traits.name))
        }
    }

    /// A device over an open file, which this object closes.
    package convenience init(file: any DeviceFile, traits: DeviceTraits) throws(DMAError) {
        try self.init(Negotiation.fresh(file), traits: traits)
    }

    init(_ result: consuming Negotiation, traits: DeviceTraits) {
        iovaRange = result.iovaRange
        addressSpaceCount = result.addressSpaceCount
        backendFeatures = result.backendFeatures
        channel = IOTLBChannel(result.vhost.file, acknowledged: result.backendFeatures)
        self.traits = traits
        vhost = result.takeDevice()
    }

    /// Counts the resets that may have lost mappings: while it stays the same, what the kernel's
    /// table holds, the device's own does too. Whoever resets the device calls `DMADomain.remap()`.
    ///
    /// A reset keeps them only where IOTLB_PERSIST was acknowledged (6.7). Platform-IOMMU devices
    /// of older kernels keep them as well, but nothing tells such a device from the others.
    package var tableEpoch: UInt64 { resetCount.load(ordering: .sequentiallyConsistent) }

    /// A look at what the device was told.
    func withRecords<Result>(_ body: (RingRecords) throws -> Result) rethrows -> Result {
        try records.withLock { try body($0) }
    }

    func editRecords(_ edit: (inout RingRecords) -> Void) {
        records.withLock { edit(&$0) }
        recordsVersion.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }

    /// While it stays the same, `enabledRings` gives the same answer.
    package var ringsVersion: UInt64 { recordsVersion.load(ordering: .sequentiallyConsistent) }

    /// Keeps memory that could not be unmapped for as long as the device's file is open.
    func keepUntilClosed(_ extents: [Extent]) { stillMapped.withLock { $0 += extents } }

    func countReset() {
        guard !backendFeatures.contains(.persistentIOTLB) else { return }
        resetCount.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }

    /// Whether messages can be batched.
    public var supportsBatching: Bool { backendFeatures.contains(.batch) }

    /// Whether the kernel pins pages for this device, which counts against RLIMIT_MEMLOCK.
    public var pinsMemory: Bool { traits.mapping == .pinned }

    /// How many entries the kernel's table has for each address space; nil for no limit.
    public var entryLimit: Int? { traits.entryLimit }
}
