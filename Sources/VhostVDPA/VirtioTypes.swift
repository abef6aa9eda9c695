/// A device's kind: the virtio device ID (include/uapi/linux/virtio_ids.h).
public struct VirtioDeviceID: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let network = VirtioDeviceID(rawValue: 1)
    public static let block = VirtioDeviceID(rawValue: 2)
    public static let console = VirtioDeviceID(rawValue: 3)
    public static let scsi = VirtioDeviceID(rawValue: 8)
    public static let fileSystem = VirtioDeviceID(rawValue: 26)
}

extension VirtioDeviceID: CustomStringConvertible {
    public var description: String {
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
public struct DeviceStatus: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let acknowledge = DeviceStatus(rawValue: 1)
    public static let driver = DeviceStatus(rawValue: 2)
    public static let driverOK = DeviceStatus(rawValue: 4)
    public static let featuresOK = DeviceStatus(rawValue: 8)
    /// The device gave up. Nothing short of a reset (status 0) helps.
    public static let needsReset = DeviceStatus(rawValue: 0x40)
    public static let failed = DeviceStatus(rawValue: 0x80)
    /// Writing it resets the device.
    public static let reset: DeviceStatus = []
}

extension DeviceStatus: CustomStringConvertible {
    public var description: String { "0x" + String(rawValue, radix: 16) }
}

/// Virtio device features. The low bits belong to the device's kind; named here are those that
/// vhost-vdpa itself looks at or that change what a call of this layer means.
public struct VirtioFeatures: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static let version1 = VirtioFeatures(rawValue: 1 << 32)
    /// Addresses go through the platform's translation. vdpa_sim refuses a driver without it.
    public static let accessPlatform = VirtioFeatures(rawValue: 1 << 33)
    /// Packed virtqueues: a queue's base is then a packed state, see `VringBase`.
    public static let ringPacked = VirtioFeatures(rawValue: 1 << 34)
}

extension VirtioFeatures: CustomStringConvertible {
    public var description: String { "0x" + String(rawValue, radix: 16) }
}
