internal import CVhostVDPA
public import IOVAAllocator
internal import Synchronization
package import VhostVDPA

/// A vhost-vdpa device with no hardware and no kernel: the kernel's answers, errno for errno, and a
/// device that reads and writes the process's memory by IOVA.
///
/// Use it in place of `/dev/vhost-vdpa-N` in tests, and to catch use after unmap: an access that
/// the device's table does not allow changes nothing and is recorded in `faults`.
///
/// Thread-safe: one lock, held during each call, as the kernel holds the device's mutex.
public final class SimulatedDevice: Sendable {
    private let state: Mutex<DeviceState>

    public init(_ configuration: Configuration = .vdpaSimNet()) {
        state = Mutex(DeviceState(configuration))
    }

    func withState<Answer: Sendable>(_ body: (inout DeviceState) -> Answer) -> Answer {
        state.withLock { body(&$0) }
    }

    // MARK: the device file

    /// open(2): a new device file, or EBUSY while one is open.
    package func open() -> Result<SimulatedDeviceFile, Errno> {
        let (result, number) = withState { ($0.open(), $0.openNumber) }
        return result == 0
            ? .success(SimulatedDeviceFile(self, openNumber: number)) : .failure(Errno(-result))
    }

    /// `open()` for a device that nobody has open.
    /// - Precondition: the device is not open and not gone.
    package var file: any DeviceFile {
        switch open() {
        case .success(let file): return file
        case .failure(let error): preconditionFailure("the device answers \(error) to open")
        }
    }

    /// Stands for the address space (mm) of the caller.
    @TaskLocal static var process = 0

    /// Calls that `body` makes come from another process, as after fork(2): the owner's rules
    /// apply.
    public static func simulateOtherProcess<Answer>(_ body: () throws -> Answer) rethrows -> Answer
    {
        try $process.withValue(process + 1, operation: body)
    }

    // MARK: what a library reads elsewhere on a real machine

    /// A copy of the configuration, with what was written to the configuration space.
    public var configuration: Configuration { withState { $0.configuration } }

    /// `max_iotlb_entries`.
    public var entryLimit: Int { withState { $0.configuration.entryLimit } }

    /// RLIMIT_MEMLOCK in bytes; nil for unlimited. May be changed at any time.
    public var lockedMemoryLimit: UInt64? {
        get { withState { $0.configuration.lockedMemoryLimit } }
        set { withState { $0.configuration.lockedMemoryLimit = newValue } }
    }

    /// Bytes pinned by others in this process. May be changed at any time.
    public var externallyPinnedByteCount: UInt64 {
        get { withState { $0.configuration.externallyPinnedByteCount } }
        set { withState { $0.configuration.externallyPinnedByteCount = newValue } }
    }

    /// VmPin: what this device has pinned and what others have.
    public var pinnedByteCount: UInt64 {
        withState { $0.pinnedPageCount * 4096 + $0.configuration.externallyPinnedByteCount }
    }

    public var usesVirtualAddresses: Bool { withState { $0.configuration.usesVirtualAddresses } }
    public var reservedWindows: [IOVARange] { withState { $0.configuration.reservedWindows } }
    /// A simulated device is on no NUMA node (`numa_node` -1), as vdpa_sim and VDUSE.
    public var numaNode: Int? { nil }
}
