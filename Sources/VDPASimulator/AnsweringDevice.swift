public import VDPAMemory
internal import VhostVDPA

/// A device file that takes every message and does nothing with it: control operations are the
/// simulator's, and no mapping is ever looked at or kept.
final class AnsweringDeviceFile: DeviceFile {
    private let control: any DeviceFile

    init(_ device: SimulatedDevice) { control = device.file }

    func ioctl(_ request: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
        unsafe control.ioctl(request, argument)
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Int { bytes.count }

    func close() -> Int32 { control.close() }
}

extension VDPADevice {
    /// A device that takes every mapping and keeps none, to measure what the library itself costs.
    /// Nothing can be reached through it.
    ///
    /// - Throws: as `simulated(_:)`.
    public static func answering(
        _ configuration: SimulatedDevice.Configuration = .vdpaSimNet()
    ) throws(DMAError) -> VDPADevice {
        let device = SimulatedDevice(configuration)
        return try VDPADevice(file: AnsweringDeviceFile(device), traits: DeviceTraits(of: device))
    }
}
