/// What a request to a block device does (virtio specification 1.2, section 5.2.6).
package enum BlockOperation: UInt32, Sendable {
    case read = 0
    case write = 1
    case flush = 4
    /// The device's name, 20 bytes.
    case identify = 8

    /// Whether the device writes the request's data.
    var writesMemory: Bool { self == .read || self == .identify }
}

/// How a device ended a request.
package struct BlockStatus: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let ok = BlockStatus(rawValue: 0)
    package static let ioError = BlockStatus(rawValue: 1)
    package static let unsupported = BlockStatus(rawValue: 2)
    /// What the driver puts there: the device gave the request back without a word.
    package static let unwritten = BlockStatus(rawValue: 0xff)

    package var description: String {
        switch self {
        case .ok: "ok"
        case .ioError: "I/O error"
        case .unsupported: "unsupported"
        case .unwritten: "status not written"
        default: "status \(rawValue)"
        }
    }
}

/// A transfer that the device is done with.
package struct BlockCompletion: Hashable, Sendable {
    /// What `submit` was given.
    package let token: UInt64
    /// The first status of its requests that is not `ok`.
    package let status: BlockStatus

    package init(token: UInt64, status: BlockStatus) {
        self.token = token
        self.status = status
    }
}

/// What a block device says about itself (its configuration space).
package struct BlockGeometry: Hashable, Sendable {
    package var sectorCount: UInt64
    /// The most bytes of one segment of data.
    package var segmentByteCount: Int
    /// The most segments of data in one request.
    package var segmentCount: Int
    package var isReadOnly: Bool
    package var canFlush: Bool

    package static let sectorByteCount = 512
}

/// How a driver is made.
package struct BlockOptions: Sendable {
    /// Entries of the queue, a power of two; cut to what the device can.
    package var queueSize = 256
    package var usesEventIndex = true
    package var usesIndirectDescriptors = true
    /// How long a request may take before `wait` gives up.
    package var timeoutMilliseconds = 20_000

    package init() {}
}
