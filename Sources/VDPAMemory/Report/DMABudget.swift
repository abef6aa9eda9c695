/// What a domain has used of what is limited, in its fullest address space where that matters.
///
/// One consistent look. Others in the process pin memory too, so that the figure for locked memory
/// may have changed by the time it is read.
public struct DMABudget: Hashable, Sendable {
    /// Entries of the kernel's table in use: at least. The kernel makes one for each run of
    /// physically contiguous pages, which nobody outside it can know.
    public internal(set) var entriesAtLeast = 0
    /// At most; see `entriesAtLeast`.
    public internal(set) var entriesAtMost = 0
    /// What one address space's table holds (`max_iotlb_entries`); nil for no limit.
    public internal(set) var entryLimit: Int?
    /// Bytes that the process has pinned (VmPin), for whatever device, limited or not; 0 where no
    /// device of the domain pins.
    public internal(set) var lockedBytes: UInt64 = 0
    /// RLIMIT_MEMLOCK; nil for no limit, and where no device pins.
    public internal(set) var lockedByteLimit: UInt64?
    /// Live regions.
    public internal(set) var regions = 0
    /// How many regions may live at once.
    public internal(set) var regionCapacity = 0
    /// Free bytes of the IOVA space, saturated at 2^64-1.
    public internal(set) var freeBytes: UInt64 = 0
    /// The most bytes that one placement could have.
    public internal(set) var largestHoleBytes: UInt64 = 0
    /// The same for each device and address space, in the order in which they were attached.
    public internal(set) var addressSpaces: [AddressSpaceBudget] = []
}

/// What a domain has used of one address space of a device.
public struct AddressSpaceBudget: Hashable, Sendable {
    /// The device's name.
    public let device: String
    /// The address space's number.
    public let addressSpace: UInt32
    /// Entries of the kernel's table in use: at least, at most. See `DMABudget.entriesAtLeast`.
    public let entriesAtLeast: Int
    /// See `entriesAtLeast`.
    public let entriesAtMost: Int
    /// What the table holds; nil for no limit.
    public let entryLimit: Int?
    /// Bytes that this domain has pinned there, quarantine included: the kernel counts them for
    /// each address space anew. 0 where the device maps by virtual address.
    public let pinnedBytes: UInt64
}

/// What regions that are not there yet would need.
public struct DMARequirement: Hashable, Sendable {
    /// New mappings, one UPDATE each.
    public internal(set) var extents = 0
    /// Entries of the kernel's table: at least, at most.
    public internal(set) var entriesAtLeast = 0
    /// See `entriesAtLeast`.
    public internal(set) var entriesAtMost = 0
    /// Bytes to be pinned, all devices and address spaces together.
    public internal(set) var lockedBytes: UInt64 = 0
    /// Bytes of the IOVA space, the unmapped page behind each shared extent included.
    public internal(set) var iovaBytes: UInt64 = 0
    /// Regions.
    public internal(set) var regions = 0
    /// What the request would be refused for, were nothing given back first; nil where nothing: a
    /// limit, or `overlap` or `outsideRange` where the caller chose the address.
    public internal(set) var shortage: DMAError.Code?
    /// Whether the entries suffice by `entriesAtLeast` but not by `entriesAtMost`: the request is
    /// tried, and it is up to the memory's contiguity whether the kernel takes it. Larger pages
    /// help.
    public internal(set) var mayExceedEntries = false
}
