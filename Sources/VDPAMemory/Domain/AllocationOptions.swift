/// What one region is to be.
public struct AllocationOptions: Sendable {
    /// Which page sizes to try; what was obtained is in `RegionInfo.pageSize`.
    public var pages: PagePolicy
    /// Which NUMA nodes to use; the device's by default, where it has one.
    public var node: NodePolicy
    /// Where in the device's addresses.
    public var placement: Placement
    /// What the device may do.
    public var access: DMAAccess
    /// Whether the mapping may be shared with other regions.
    public var isolation: Isolation
    /// In bytes, a power of two; at least 4 KiB, whatever is asked.
    public var alignment: UInt64
    /// Whether the region may hold what an earlier owner left.
    public var isUninitialised: Bool
    /// Threads, progress and cancellation of long work. For a region that is carved from an extent
    /// that others share: of the extent that is made for it, if one is; then the bytes are the
    /// extent's.
    public var population: Population
    /// Whether a child made by fork(2) has the memory too; else it has a hole there
    /// (MADV_DONTFORK), and holds no pages when this process gives them back.
    public var isInheritedByFork: Bool
    /// Whether core dumps leave the memory out (MADV_DONTDUMP).
    public var isExcludedFromCoreDumps: Bool
    /// Whether zeros are written over the memory before anybody else can have it: over a carved
    /// region when it is freed; over one with a mapping of its own once every device has confirmed
    /// that it lets go, and before its pages go back to the kernel. Takes about 0.1 s per GiB.
    ///
    /// Not done where the process ends without freeing.
    public var isZeroedWhenFreed: Bool
    /// Who owns the region: see `RegionTag`.
    public var tag: RegionTag

    /// The defaults: the largest pages that fit, on the device's node, anywhere, read-write.
    public init(
        pages: PagePolicy = .largest, node: NodePolicy = .device,
        placement: Placement = .anywhere, access: DMAAccess = .readWrite,
        isolation: Isolation = .automatic, alignment: UInt64 = 4096,
        isUninitialised: Bool = false, population: Population = Population(),
        isInheritedByFork: Bool = false, isExcludedFromCoreDumps: Bool = false,
        isZeroedWhenFreed: Bool = false, tag: RegionTag = .none
    ) {
        self.pages = pages
        self.node = node
        self.placement = placement
        self.access = access
        self.isolation = isolation
        self.alignment = alignment
        self.isUninitialised = isUninitialised
        self.population = population
        self.isInheritedByFork = isInheritedByFork
        self.isExcludedFromCoreDumps = isExcludedFromCoreDumps
        self.isZeroedWhenFreed = isZeroedWhenFreed
        self.tag = tag
    }
}
