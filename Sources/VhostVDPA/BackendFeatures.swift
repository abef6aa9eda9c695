/// What vhost-vdpa itself can do, as negotiated by `VHOST_GET_BACKEND_FEATURES` and
/// `VHOST_SET_BACKEND_FEATURES` (not the virtio features of the device).
///
/// Source: include/uapi/linux/vhost_types.h, `VHOST_BACKEND_F_*`. Bits this library does not know
/// are kept, so that what the kernel answered can be shown.
public struct BackendFeatures: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Messages with an address-space field (5.9). The kernel takes them unacknowledged, too.
    public static let messageV2 = BackendFeatures(rawValue: 1 << 1)
    /// `BATCH_BEGIN` and `BATCH_END` (5.9).
    public static let batch = BackendFeatures(rawValue: 1 << 2)
    /// The address-space field counts (5.19). Unacknowledged, every message lands in ASID 0.
    public static let addressSpaces = BackendFeatures(rawValue: 1 << 3)
    /// `VHOST_VDPA_SUSPEND` (6.0).
    public static let suspend = BackendFeatures(rawValue: 1 << 4)
    /// `VHOST_VDPA_RESUME` (6.3).
    public static let resume = BackendFeatures(rawValue: 1 << 5)
    /// Queues may be enabled after DRIVER_OK (6.6).
    public static let enableAfterDriverOK = BackendFeatures(rawValue: 1 << 6)
    /// The descriptor tables may live in an address space of their own (6.7).
    public static let descriptorASID = BackendFeatures(rawValue: 1 << 7)
    /// The device's table survives a reset (6.7).
    public static let persistentIOTLB = BackendFeatures(rawValue: 1 << 8)
}

extension BackendFeatures: CustomStringConvertible {
    public var description: String {
        var rest = rawValue
        var names: [String] = []
        for (bit, name) in BackendFeatures.names where rest & (1 << bit) != 0 {
            names.append(name)
            rest &= ~(1 << bit)
        }
        if rest != 0 { names.append("0x" + String(rest, radix: 16)) }
        return "{" + names.joined(separator: ", ") + "}"
    }

    private static let names: [(UInt64, String)] = [
        (1, "IOTLB_MSG_V2"), (2, "IOTLB_BATCH"), (3, "IOTLB_ASID"), (4, "SUSPEND"), (5, "RESUME"),
        (6, "ENABLE_AFTER_DRIVER_OK"), (7, "DESC_ASID"), (8, "IOTLB_PERSIST"),
    ]
}
