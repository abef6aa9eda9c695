public import IOVAAllocator

/// Which of the three ways a vDPA parent takes mappings (struct vdpa_config_ops).
public enum ParentKind: Hashable, Sendable {
    /// `set_map`: the parent gets the whole table, once a batch or once a message.
    case setMap
    /// `dma_map`/`dma_unmap`: entry by entry.
    case dmaMap
    /// Neither: the kernel programs the platform's IOMMU.
    case platformIOMMU
}

/// How the parent's driver answers where drivers differ (their sources, and 6.1.192 measured).
public enum ParentDriver: Hashable, Sendable {
    case vdpaSim, virtioPCI, vduse
}

/// Where physical memory is contiguous: the kernel takes one table entry for each such run.
public enum PhysicalContiguity: Hashable, Sendable {
    /// Blocks of this many bytes, aligned to it in the address: a page size. No two are neighbours.
    case pages(Int)
    /// Run lengths in bytes (multiples of 4096), repeated from the start of each UPDATE.
    case runs([Int])
    /// One run whatever the size.
    case contiguous

    public static let size4KiB = PhysicalContiguity.pages(4096)
    public static let size2MiB = PhysicalContiguity.pages(2 << 20)
}

extension SimulatedDevice {
    /// What a simulated device is. Start from a preset and change what the test is about.
    public struct Configuration: Sendable {
        public var kernel = KernelProfile.v6_1
        public var kind = ParentKind.setMap
        public var driver = ParentDriver.vdpaSim
        /// Mappings by virtual address: nothing is pinned, and only shared, file-backed memory
        /// maps.
        public var usesVirtualAddresses = false

        public var queueCount: UInt32 = 3
        public var groupCount: UInt32 = 2
        public var addressSpaceCount: UInt32 = 2
        /// The group of each queue; queues beyond the end are in group 0.
        public var groupOfQueue: [UInt32] = [0, 0, 1]
        public var maximumQueueSize: UInt16 = 256
        public var iovaRange = IOVARange.all

        public var deviceID: UInt32 = 1
        /// VERSION_1 and ACCESS_PLATFORM among them.
        public var features: UInt64 = 0
        /// Backend feature bits that the parent adds to those that the kernel profile implies.
        public var extraBackendFeatures: UInt64 = 0
        /// The bytes of the device's configuration space; their count is its size.
        public var configurationSpace: [UInt8] = []

        /// `max_iotlb_entries` of vhost_vdpa: entries per address space.
        public var entryLimit = 2048
        /// RLIMIT_MEMLOCK in bytes; nil stands for unlimited.
        public var lockedMemoryLimit: UInt64?
        /// Bytes that others have pinned in this process (io_uring, RDMA, other devices).
        public var externallyPinnedByteCount: UInt64 = 0
        /// What the soft limit can be raised to, in bytes; nil for what it is.
        public var lockedMemoryHardLimit: UInt64?
        /// The default is memory in 2 MiB pages; `.size4KiB` is as strict as fragmented memory,
        /// where a 2 MiB extent takes 512 entries.
        public var contiguity = PhysicalContiguity.size2MiB
        /// Windows that the platform keeps for itself, as sysfs would report them for the device.
        public var reservedWindows: [IOVARange] = []

        public init() {}
    }
}
