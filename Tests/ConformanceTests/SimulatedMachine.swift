import Conformance
import VDPAMemory
import VDPASimulator
import VhostVDPA

/// The simulator's side of `ConformanceMachine`.
struct SimulatedMachine: ConformanceMachine {
    let device: SimulatedDevice

    init(_ profile: Profile) { device = SimulatedDevice(profile.configuration) }

    func open() -> Result<any DeviceFile, Errno> { device.open().map { $0 } }

    func openDevice() throws(DMAError) -> VDPADevice { try VDPADevice(device) }

    func setLockedMemoryLimit(_ byteCount: UInt64?) { device.lockedMemoryLimit = byteCount }

    func pinnedByteCount() -> UInt64 { device.pinnedByteCount }

    func probeFromOtherProcess(_ file: any DeviceFile) throws -> ForeignAnswers {
        try SimulatedDevice.simulateOtherProcess { ForeignAnswers(try ForeignProbe.run(file)) }
    }
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
