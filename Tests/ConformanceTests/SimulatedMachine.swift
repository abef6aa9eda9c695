import Conformance
import Synchronization
import VDPAMemory
import VDPASimulator
import VhostVDPA
import VirtioDeviceModel

/// The simulator's side of `ConformanceMachine`.
final class SimulatedMachine: ConformanceMachine {
    let device: SimulatedDevice
    let second: SimulatedDevice
    private let block: SimulatedDevice
    private let network: SimulatedDevice
    /// What moves data behind the devices: a thread each, from the first use on.
    private let models = Mutex<(block: BlockDeviceModel?, network: NetDeviceModel?)>((nil, nil))
    private let onFault: BlockDeviceModel.FaultAnswer

    init(_ profile: Profile) {
        device = SimulatedDevice(profile.configuration)
        second = SimulatedDevice(profile.secondConfiguration)
        switch profile {
        case .sim, .simNoBatch:
            block = SimulatedDevice(.vdpaSimBlock(batchMapping: profile == .sim))
            network = device
            onFault = .ioError
        case .iommu:
            block = device
            network = SimulatedDevice(.vdpaSimNet())
            onFault = .bounce
        case .vduse:
            block = device
            network = device
            onFault = .silence
        }
    }

    var devices: [SimulatedDevice] { [device, second, block, network] }

    func openDevice(_ kind: VirtioDeviceID) throws(DMAError) -> VDPADevice {
        models.withLock { models in
            if kind == .block, models.block == nil {
                models.block = BlockDeviceModel(block, sectorCount: 0x40000, onFault: onFault)
            } else if kind == .network, models.network == nil {
                models.network = NetDeviceModel(network)
            }
        }
        return try VDPADevice(kind == .block ? block : network)
    }

    func open() -> Result<any DeviceFile, Errno> { device.open().map { $0 } }

    func openDevice() throws(DMAError) -> VDPADevice { try VDPADevice(device) }

    func openSecond() -> Result<any DeviceFile, Errno> { second.open().map { $0 } }

    func openSecondDevice() throws(DMAError) -> VDPADevice { try VDPADevice(second) }

    func adopt(_ file: any DeviceFile, duplicating: Bool) throws(DMAError) -> VDPADevice {
        let lent = LentFile(file)
        let adopted = try VDPADevice(adopting: lent, traits: DeviceTraits(of: device))
        if !duplicating { lent.keep() }
        return adopted
    }

    func setLockedMemoryLimit(_ byteCount: UInt64?) {
        device.lockedMemoryLimit = byteCount
        second.lockedMemoryLimit = byteCount
    }

    /// Other tests run at the same time.
    var isAlone: Bool { false }

    func pinnedByteCount() -> UInt64 { device.pinnedByteCount + second.pinnedByteCount }

    func probeFromOtherProcess(_ file: any DeviceFile) throws -> ForeignAnswers {
        try SimulatedDevice.simulateOtherProcess { ForeignAnswers(try ForeignProbe.run(file)) }
    }
}

/// A simulated file that its lender closes, until it is kept: what a descriptor is to
/// `VDPADevice(adopting:duplicating:)`.
private final class LentFile: DeviceFile {
    private let file: any DeviceFile
    private let isKept = Atomic(false)

    init(_ file: any DeviceFile) { self.file = file }

    func keep() { isKept.store(true, ordering: .sequentiallyConsistent) }

    func ioctl(_ request: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
        // Safe: the caller vouches for the argument.
        unsafe file.ioctl(request, argument)
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        // Safe: the caller vouches for the bytes.
        unsafe file.write(bytes)
    }

    func close() -> Int32 { isKept.load(ordering: .sequentiallyConsistent) ? file.close() : 0 }
}

extension Profile {
    var configuration: SimulatedDevice.Configuration {
        switch self {
        case .sim: .vdpaSimNet()
        case .simNoBatch: .vdpaSimNet(batchMapping: false)
        case .iommu: .vpVDPA()
        case .vduse: .vduse()
        }
    }
}

extension Profile {
    /// The other device of the machine.
    var secondConfiguration: SimulatedDevice.Configuration {
        switch self {
        case .sim: .vdpaSimBlock()
        case .simNoBatch: .vdpaSimBlock(batchMapping: false)
        case .iommu: .vpVDPA()
        case .vduse: .vduse()
        }
    }
}
