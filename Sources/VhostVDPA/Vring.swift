public import IOVAAllocator

/// Which of the two virtqueue layouts was negotiated (`VirtioFeatures.ringPacked`).
public enum VringLayout: Hashable, Sendable {
    case split, packed
}

/// Where a queue stands: what `VHOST_SET_VRING_BASE` and `VHOST_GET_VRING_BASE` carry in 32 bits.
public enum VringBase: Hashable, Sendable {
    /// The index of the next available entry.
    case split(availableIndex: UInt16)
    /// Both positions of a packed ring. Kernels before 6.4 without the stable fix (6.1.192 has it)
    /// know 16 bits only, and answer EINVAL to more.
    case packed(available: PackedVringPosition, used: PackedVringPosition)

    /// The available state in the low 16 bits, the used state of a packed ring in the high ones
    /// (drivers/vhost/vhost.c).
    package var rawValue: UInt32 {
        switch self {
        case .split(let index): UInt32(index)
        case .packed(let available, let used):
            UInt32(available.rawValue) | UInt32(used.rawValue) << 16
        }
    }

    /// Reads the kernel's answer. nil for a split ring's index that does not fit 16 bits.
    package init?(rawValue: UInt32, layout: VringLayout) {
        switch layout {
        case .split:
            guard let index = UInt16(exactly: rawValue) else { return nil }
            self = .split(availableIndex: index)
        case .packed:
            self = .packed(
                available: PackedVringPosition(rawValue: UInt16(truncatingIfNeeded: rawValue)),
                used: PackedVringPosition(rawValue: UInt16(truncatingIfNeeded: rawValue >> 16)))
        }
    }
}

/// A position in a packed ring: 15 bits of index and the wrap counter in bit 15.
public struct PackedVringPosition: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// nil where `index` needs more than 15 bits.
    public init?(index: UInt16, wrapCounter: Bool) {
        guard index < 0x8000 else { return nil }
        rawValue = index | (wrapCounter ? 0x8000 : 0)
    }

    public var index: UInt16 { rawValue & 0x7fff }
    public var wrapCounter: Bool { rawValue & 0x8000 != 0 }
}

/// A queue's three areas, as the device addresses them. For a packed ring `available` is the
/// driver's event area and `used` the device's.
public struct VringAddresses: Hashable, Sendable {
    public var descriptors: IOVA
    public var available: IOVA
    public var used: IOVA
    /// Where writes to the used ring are logged; nil for no log. vhost-vdpa has no dirty log, so
    /// it stores the address and does nothing with it.
    public var log: IOVA?

    public init(descriptors: IOVA, available: IOVA, used: IOVA, log: IOVA? = nil) {
        self.descriptors = descriptors
        self.available = available
        self.used = used
        self.log = log
    }
}

/// The eventfd of a queue or of the configuration, or none.
public enum EventBinding: Hashable, Sendable {
    /// An eventfd(2). The kernel takes a reference of its own; the caller keeps its descriptor.
    case eventfd(Int32)
    /// Undoes an earlier binding (`VHOST_FILE_UNBIND`, -1).
    case unbound

    /// The number the kernel gets. nil for a negative descriptor: -1 would silently unbind.
    package var descriptor: Int32? {
        switch self {
        case .eventfd(let number): number >= 0 ? number : nil
        case .unbound: -1
        }
    }
}

/// One region of `VHOST_SET_MEM_TABLE` (struct vhost_memory_region).
public struct MemoryTableRegion: Hashable, Sendable {
    public var guestAddress: UInt64
    public var byteCount: UInt64
    public var userAddress: UInt

    public init(guestAddress: UInt64, byteCount: UInt64, userAddress: UInt) {
        self.guestAddress = guestAddress
        self.byteCount = byteCount
        self.userAddress = userAddress
    }
}
