import VDPAMemory
import VDPASimulator
import VirtioDeviceModel
import VirtioDriver

/// A simulated block device with a disk behind it, opened, with a domain.
struct SimulatedDisk {
    let simulated: SimulatedDevice
    let model: BlockDeviceModel
    let device: VDPADevice
    let domain: DMADomain

    init(
        _ configuration: SimulatedDevice.Configuration = .vpVDPA(),
        _ options: DMADomainOptions = .init(), onFault: BlockDeviceModel.FaultAnswer = .ioError
    ) throws {
        simulated = SimulatedDevice(configuration)
        model = BlockDeviceModel(simulated, sectorCount: 0x40000, onFault: onFault)
        device = try VDPADevice(simulated)
        domain = try DMADomain(device, options: options)
    }
}
