public import IOVAAllocator
internal import Synchronization
package import VhostVDPA

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

    let vhost: VhostDevice
    let traits: DeviceTraits
    let backendFeatures: BackendFeatures
    let channel: IOTLBChannel
    /// Held for the length of a batch: the kernel's batch flag belongs to the file, so that two
    /// address spaces of one device are two batches in sequence.
    let batchLock = Mutex<Void>(())
    /// The address spaces that a domain has taken.
    let takenAddressSpaces = Mutex<Set<UInt32>>([])

    /// Opens a device.
    ///
    /// System calls: open(2), then SET_OWNER, GET_ and SET_BACKEND_FEATURES, GET_IOVA_RANGE,
    /// GET_AS_NUM; sysfs is read for the node, the windows and the limits.
    ///
    /// - Important: opening resets a device (drivers/vhost/vdpa.c, `vhost_vdpa_open`).
    /// - Throws: `deviceUnavailable` (not found, no permission, open elsewhere: EBUSY),
    ///   `notOwner`, `notSupported` on kernels before 5.19.
    public convenience init(path: String) throws(DMAError) {
        let file: any DeviceFile
        switch KernelDeviceFile.open(path: path) {
        case .success(let opened): file = opened
        case .failure(let errno): throw DMAError(VhostError.open(errno, path: path))
        }
        let numbers = CharacterDevice.numbers(path: path)
        try self.init(
            file: file,
            traits: .ofMachine(name: path, major: numbers.major, minor: numbers.minor))
    }

    /// A device over an open file, which this object closes.
    package convenience init(file: any DeviceFile, traits: DeviceTraits) throws(DMAError) {
        try self.init(Negotiation.fresh(file), traits: traits)
    }

    init(_ result: consuming Negotiation, traits: DeviceTraits) throws(DMAError) {
        iovaRange = result.iovaRange
        addressSpaceCount = result.addressSpaceCount
        backendFeatures = result.backendFeatures
        channel = IOTLBChannel(result.vhost.file, acknowledged: result.backendFeatures)
        self.traits = traits
        vhost = result.takeDevice()
    }

    /// Whether messages can be batched.
    public var supportsBatching: Bool { backendFeatures.contains(.batch) }

    /// Whether the kernel pins pages for this device, which counts against RLIMIT_MEMLOCK.
    public var pinsMemory: Bool { traits.mapping == .pinned }

    /// How many entries the kernel's table has for each address space; nil for no limit.
    public var entryLimit: Int? { traits.entryLimit }
}
