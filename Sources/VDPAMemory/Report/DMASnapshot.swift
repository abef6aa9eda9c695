internal import IOVAAllocator

/// What a domain holds at one moment, range by range: a value to keep, compare, send and draw.
///
/// Extents with their guard bytes, reservations and holes tile `range`; regions lie inside extents.
/// `json()` writes it down, as `Documentation/domain-snapshot.schema.json` says; it is `Codable`
/// with the same names, so that whoever has Foundation can read it back.
public struct DMASnapshot: Hashable, Sendable, Codable {
    /// Changes when a reader of an older version would misread a newer one. New members may come
    /// without a new version.
    public static let currentVersion = 1

    /// The version of the schema: `currentVersion`.
    public var version = DMASnapshot.currentVersion
    /// The addresses that regions may have.
    public var range: Span
    /// The devices and address spaces that all of this is mapped in.
    public var addressSpaces: [AddressSpace] = []
    /// What is mapped, in the order of addresses; what waits in quarantine is among it.
    public var extents: [Extent] = []
    /// What callers hold, in the order of addresses.
    public var regions: [Region] = []
    /// What is never chosen, where no extent lies over it, in the order of addresses.
    public var reservations: [Reservation] = []
    /// What is free, as large as it goes, in the order of addresses.
    public var holes: [Span] = []
    /// What live regions take by tag, the largest first.
    public var tags: [TagUsage] = []

    /// An address: in JSON a string such as `"0x1f000"`, as many readers' numbers have 53 bits.
    public struct Address: Hashable, Sendable {
        /// The address as a number.
        public var rawValue: UInt64
        /// The address as a number.
        public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    }

    /// A closed range of addresses.
    public struct Span: Hashable, Sendable, Codable {
        /// The lowest address.
        public var first: Address
        /// The highest address.
        public var last: Address
    }

    /// One address space of one device.
    public struct AddressSpace: Hashable, Sendable, Codable {
        /// The device file's path, or what the simulator calls itself.
        public var device: String
        /// The number of the address space (ASID).
        public var addressSpace: UInt32
        /// What the device can address.
        public var deviceRange: Span
        /// The NUMA node of the device; nil where it has none.
        public var numaNode: Int?
        /// Whether the kernel pins pages for it, or maps by virtual address.
        public var pinsMemory: Bool
        /// What the domain has pinned for it, in bytes.
        public var pinnedBytes: UInt64
        /// Entries of the kernel's table in use: at least.
        public var entriesAtLeast: Int
        /// At most: see `DMABudget.entriesAtLeast`.
        public var entriesAtMost: Int
        /// What the kernel's table holds; nil for no limit.
        public var entryLimit: Int?
        /// Whether a reset may have lost the device's mappings.
        public var needsRemap: Bool
    }

    /// What one UPDATE message mapped.
    public struct Extent: Hashable, Sendable, Codable {
        /// The lowest address.
        public var first: Address
        /// The highest address.
        public var last: Address
        /// Bytes behind `last` that are taken, and not mapped.
        public var guardBytes: UInt64
        /// Whose memory it is, and how it is used.
        public var kind: Kind
        /// What the device may do.
        public var access: Access
        /// nil while it lives; in quarantine, for how many nanoseconds it has waited.
        public var quarantinedNanoseconds: UInt64?
        /// The pages behind it; nil for memory that the caller registered.
        public var pages: Pages?
        /// How many of its pages lie on which node, by node; empty where that is not known.
        public var nodes: [NodePages]
        /// How many regions live in it.
        public var regions: Int

        /// Whether it waits to be unmapped.
        public var isQuarantined: Bool { quarantinedNanoseconds != nil }
    }

    /// What an extent is for.
    public enum Kind: String, Hashable, Sendable, Codable {
        /// The library's memory, for one region.
        case dedicated
        /// The library's memory, from which small regions are carved.
        case shared
        /// The caller's memory.
        case registered
    }

    /// What the device may do.
    public enum Access: String, Hashable, Sendable, Codable {
        case readOnly, writeOnly, readWrite
    }

    /// A page size, and where the pages come from.
    public enum Pages: String, Hashable, Sendable, Codable {
        case size4KiB = "4KiB"
        case transparent2MiB
        case size2MiB = "2MiB"
        case size1GiB = "1GiB"
    }

    /// A number of pages on one node.
    public struct NodePages: Hashable, Sendable, Codable {
        /// The NUMA node.
        public var node: Int
        /// How many pages lie there.
        public var pages: Int
    }

    /// What a caller holds.
    public struct Region: Hashable, Sendable, Codable {
        /// The lowest address.
        public var first: Address
        /// The highest address.
        public var last: Address
        /// The index of its extent in `extents`.
        public var extent: Int
        /// Who owns it; empty where nobody said.
        public var tag: String
        /// Whether a `DMARegion` owns it; else it is held by its ID.
        public var isOwned: Bool
    }

    /// What is never chosen.
    public struct Reservation: Hashable, Sendable, Codable {
        /// The lowest address.
        public var first: Address
        /// The highest address.
        public var last: Address
        /// Whether a fixed placement over it must be marked as deliberate.
        public var isGuarded: Bool
    }

    /// What the live regions of one tag take.
    public struct TagUsage: Hashable, Sendable, Codable {
        /// The tag's text; empty for regions without one.
        public var tag: String
        /// How many there are.
        public var regions: Int
        /// Their sizes together, in bytes.
        public var byteCount: UInt64
    }
}

extension DMASnapshot.Address: Codable, Comparable, CustomStringConvertible {
    public var description: String { "0x" + String(rawValue, radix: 16) }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard text.hasPrefix("0x"), let value = UInt64(text.dropFirst(2), radix: 16) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\(text) is no address such as 0x1f000")
        }
        rawValue = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension DMASnapshot.Span {
    init(_ range: IOVARange) {
        first = DMASnapshot.Address(range.first.rawValue)
        last = DMASnapshot.Address(range.last.rawValue)
    }
}
