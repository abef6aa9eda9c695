/// A device's kind: the virtio device ID (include/uapi/linux/virtio_ids.h).
package struct VirtioDeviceID: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let network = VirtioDeviceID(rawValue: 1)
    package static let block = VirtioDeviceID(rawValue: 2)
    package static let console = VirtioDeviceID(rawValue: 3)
    package static let scsi = VirtioDeviceID(rawValue: 8)
    package static let fileSystem = VirtioDeviceID(rawValue: 26)
}

extension VirtioDeviceID: CustomStringConvertible {
    package var description: String {
        switch self {
        case .network: "net (1)"
        case .block: "block (2)"
        case .console: "console (3)"
        case .scsi: "scsi (8)"
        case .fileSystem: "fs (26)"
        default: "virtio device \(rawValue)"
        }
    }
}

/// The device status field (virtio specification 1.2, section 2.1).
package struct DeviceStatus: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let acknowledge = DeviceStatus(rawValue: 1)
    package static let driver = DeviceStatus(rawValue: 2)
    package static let driverOK = DeviceStatus(rawValue: 4)
    package static let featuresOK = DeviceStatus(rawValue: 8)
    /// The device gave up. Nothing short of a reset (status 0) helps.
    package static let needsReset = DeviceStatus(rawValue: 0x40)
    package static let failed = DeviceStatus(rawValue: 0x80)
    /// Writing it resets the device.
    package static let reset: DeviceStatus = []
}

extension DeviceStatus: CustomStringConvertible {
    package var description: String { "0x" + String(rawValue, radix: 16) }
}

/// Virtio device features. The low bits belong to the device's kind; named here are those that
/// vhost-vdpa itself looks at or that change what a call of this layer means.
package struct VirtioFeatures: OptionSet, Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    package static let version1 = VirtioFeatures(rawValue: 1 << 32)
    /// Addresses go through the platform's translation. vdpa_sim refuses a driver without it.
    package static let accessPlatform = VirtioFeatures(rawValue: 1 << 33)
    /// Packed virtqueues: a queue's base is then a packed state, see `VringBase`.
    package static let ringPacked = VirtioFeatures(rawValue: 1 << 34)
}

extension VirtioFeatures: CustomStringConvertible {
    package var description: String { "0x" + String(rawValue, radix: 16) }
}
