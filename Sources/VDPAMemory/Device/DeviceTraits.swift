internal import HostMemory
package import IOVAAllocator

/// What the library must know about a device that its file does not answer: how its mappings are
/// made, where it sits, and which limits the kernel enforces without ever naming them.
package struct DeviceTraits: Sendable {
    /// How the kernel turns an UPDATE into something the device can use.
    package enum MappingKind: Hashable, Sendable {
        /// Pages are pinned and count against RLIMIT_MEMLOCK.
        case pinned
        /// By virtual address (VDUSE, and vdpa_sim from Linux 6.4 on): nothing is pinned, and only
        /// shared, file-backed memory is mapped; anything else is skipped in silence.
        case virtualAddress
    }

    /// RLIMIT_MEMLOCK and what is used of it, in bytes.
    package struct LockedMemory: Hashable, Sendable {
        /// The soft limit; nil for none.
        package var limit: UInt64?
        /// What the kernel counts as pinned in this process now (VmPin); 0 where there is no limit:
        /// see `pinnedByteCount`.
        package var pinned: UInt64

        package init(limit: UInt64?, pinned: UInt64) {
            self.limit = limit
            self.pinned = pinned
        }
    }

    package var name: String
    package var mapping: MappingKind
    package var numaNode: Int?
    /// Windows that the platform keeps for itself.
    package var reservedWindows: [IOVARange]
    /// Entries that one address space can hold; nil for no limit.
    package var entryLimit: Int?
    /// Read anew before every transaction: others pin and unpin as well.
    package var lockedMemory: @Sendable () -> LockedMemory
    /// What is pinned in this process now (VmPin), limited or not: a look at procfs.
    package var pinnedByteCount: @Sendable () -> UInt64
    /// Raises the soft limit on locked memory to the hard one, where it can.
    package var raiseLockedMemoryLimit: @Sendable () -> Void
    package var isSimulated: Bool

    package init(
        name: String, mapping: MappingKind, numaNode: Int? = nil,
        reservedWindows: [IOVARange] = [], entryLimit: Int? = 2048, isSimulated: Bool = false,
        raiseLockedMemoryLimit: @escaping @Sendable () -> Void = {},
        pinnedByteCount: (@Sendable () -> UInt64)? = nil,
        lockedMemory: @escaping @Sendable () -> LockedMemory
    ) {
        self.name = name
        self.mapping = mapping
        self.numaNode = numaNode
        self.reservedWindows = reservedWindows
        self.entryLimit = entryLimit
        self.isSimulated = isSimulated
        self.pinnedByteCount = pinnedByteCount ?? { lockedMemory().pinned }
        self.raiseLockedMemoryLimit = raiseLockedMemoryLimit
        self.lockedMemory = lockedMemory
    }
}

extension DeviceTraits {
    /// The traits of a device of this machine, from sysfs and procfs.
    ///
    /// - Parameters: the name for messages; the character device's numbers.
    static func ofMachine(name: String, major: UInt32, minor: UInt32) -> DeviceTraits {
        let facts = HostTopology().facts(ofCharacterDevice: major, minor)
        let mapping: MappingKind
        switch facts.parent {
        case .vduse, .simulator(usesVirtualAddresses: true): mapping = .virtualAddress
        case .bus, .simulator(usesVirtualAddresses: false): mapping = .pinned
        }
        return DeviceTraits(
            name: name, mapping: mapping, numaNode: facts.numaNode,
            reservedWindows: facts.reservedRegions.map {
                IOVARange(first: $0.first, last: $0.last)
            },
            entryLimit: facts.entryLimit,
            // Where it is refused, the limit is as it was, and the error names it.
            raiseLockedMemoryLimit: { _ = try? LockedMemoryLimit.raiseSoftToHard() },
            pinnedByteCount: { (try? LockedMemoryLimit.read())?.pinned ?? 0 },
            lockedMemory: DeviceTraits.LockedMemory.ofProcess)
    }
}

extension DeviceTraits.LockedMemory {
    /// Without procfs the kernel's own check is the only one left; its EFAULT is explained. Where
    /// nothing is limited, nobody needs to know how much is pinned.
    fileprivate static func ofProcess() -> Self {
        guard let soft = try? LockedMemoryLimit.softLimit(),
            soft != LockedMemoryLimit.unlimited, let limit = try? LockedMemoryLimit.read()
        else { return Self(limit: nil, pinned: 0) }
        return Self(
            limit: limit.soft == LockedMemoryLimit.unlimited ? nil : limit.soft,
            pinned: limit.pinned)
    }
}
