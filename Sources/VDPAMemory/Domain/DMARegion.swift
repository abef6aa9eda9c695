internal import Synchronization

/// A range of memory that the device can reach: its owner.
///
/// Leaving scope frees it; `free()` does so and reports. A deinit cannot report: what it cannot
/// unmap goes to quarantine, and `DMAStatistics.failedFrees` counts it.
public struct DMARegion: ~Copyable, Sendable {
    /// Names the region where its owner cannot be stored.
    public let id: RegionID
    /// Where the device finds the first byte.
    public let iova: IOVA
    /// The size in bytes: what was asked for, rounded up to 4 KiB.
    public let byteCount: Int
    /// What the device may do.
    public let access: DMAAccess
    private let addressBits: UInt
    /// Kept here as well, so that a `close()` of the domain unmaps it from the device alone.
    let memory: MemoryBox?
    /// nil once the region has been freed or given up.
    private(set) var domain: DMADomain?

    /// Takes over a region that a batch has made, and that nobody owns.
    ///
    /// - Throws: `noSuchRegion`, `invalidArgument` where it has an owner, `closed`.
    public init(owning id: RegionID, in domain: DMADomain) throws(DMAError) {
        let (info, memory) = try domain.own(id)
        self.id = id
        self.memory = memory
        iova = info.range.first
        byteCount = Int(info.byteCount)
        access = info.access
        addressBits = info.addressBits
        self.domain = domain
    }

    /// A region that was carved for its owner, made to read as zeros where it does not.
    init(_ carved: consuming CarvedRegion, in domain: DMADomain) {
        id = carved.id
        memory = carved.memory
        iova = IOVA(carved.first)
        byteCount = Int(carved.byteCount)
        access = carved.access
        addressBits = carved.address
        self.domain = domain
        if carved.isUnclean {
            // Safe: the region's own bytes, which nobody else has a name for yet.
            unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
        }
    }

    deinit {
        if let domain { domain.freeUnreported(id) }
    }

    /// The first byte in this process.
    public var address: UnsafeMutableRawPointer {
        // Safe: this owner keeps the memory, or it is the caller's; an address is not 0.
        unsafe UnsafeMutableRawPointer(bitPattern: addressBits)!
    }

    /// The region's bytes. Not to be used after the region is gone.
    public var bytes: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: address, count: byteCount)
    }

    /// The addresses that the device uses.
    public var range: IOVARange {
        IOVARange(first: iova.rawValue, last: iova.rawValue + UInt64(byteCount - 1))
    }

    /// What backs the region: page size, nodes, what was tried before.
    public var info: RegionInfo {
        get throws(DMAError) {
            guard let domain else { throw DMAError.noSuchRegion }
            return try domain.info(id)
        }
    }

    /// Frees the region. When this returns, the device cannot reach a dedicated region any more,
    /// unless unmapping is deferred.
    ///
    /// - Parameter force: frees it also while it holds part of an enabled ring: the caller vouches
    ///   that the device does not use it, as the next region may lie there at once.
    /// - Throws: where the kernel refused: then the region is in quarantine, not reused;
    ///   `unsafeControl` where it holds an enabled ring: then it lives on under its ID.
    public consuming func free(force: Bool = false) throws(DMAError) {
        guard let domain = domain.take() else { return }
        try domain.freeOrAbandon(id, force: force)
    }

    /// Ends the life of this owner, and leaves the ownership to the caller.
    consuming func handOver() -> RegionID {
        domain = nil
        return id
    }

    /// Ends the ownership without freeing: the region lives on under its ID.
    public consuming func relinquish() -> RegionID {
        domain?.disown(id)
        domain = nil
        return id
    }
}

/// What a domain knows about a region.
public struct RegionInfo: Sendable {
    /// The addresses that the device uses.
    public let range: IOVARange
    /// The size in bytes: what was asked for, rounded up to 4 KiB.
    public let byteCount: UInt64
    /// What the device may do.
    public let access: DMAAccess
    /// The page size behind it; nil for memory that the caller registered.
    public let pageSize: PageSize?
    /// The nodes of the pages of its extent, with what spilled, as they were when it was allocated;
    /// nil for memory that the caller registered. `nodeRuns()` tells page by page.
    public let placement: NodePlacement?
    /// Why its extent has no other pages, in the order in which they were tried; empty where the
    /// first choice was had.
    public let pageSizeRefusals: [PageSizeRefusal]
    /// Whether it shares its mapping with others.
    public let isShared: Bool
    /// The mapping that it is part of.
    public let extent: IOVARange
    /// Who owns it.
    public let tag: RegionTag
    let addressBits: UInt

    /// The first byte in this process.
    public var address: UnsafeMutableRawPointer {
        // Safe: valid while the region lives; an address is not 0.
        unsafe UnsafeMutableRawPointer(bitPattern: addressBits)!
    }
}

extension DMADomain {
    /// What is known about a region.
    /// - Throws: `noSuchRegion`, `closed`.
    public func info(_ id: RegionID) throws(DMAError) -> RegionInfo {
        try locked { state throws(DMAError) in
            try state.requireOpen()
            guard let record = state.regions.record(id), record.state == .live else {
                throw DMAError.noSuchRegion
            }
            return state.info(record)
        }
    }

    /// Makes a region owned.
    func own(_ id: RegionID) throws(DMAError) -> (RegionInfo, MemoryBox?) {
        try locked { state throws(DMAError) in
            try state.requireOpen()
            guard let record = state.regions.record(id), record.state == .live else {
                throw DMAError.noSuchRegion
            }
            guard !record.isOwned else { throw DMAError.owned }
            state.regions.update(id) { $0.isOwned = true }
            return (state.info(record), state.extent(of: record).memory)
        }
    }

    func disown(_ id: RegionID) {
        look(inChild: ()) { state in
            guard state.regions.contains(id) else { return }
            state.regions.update(id) { $0.isOwned = false }
        }
    }

    func freeUnreported(_ id: RegionID) {
        do throws(DMAError) {
            try freeOrAbandon(id)
        } catch {
            // `freeOrAbandon` has counted it.
        }
    }

    /// Frees a region that nobody will own afterwards: where the kernel refuses, it goes to
    /// quarantine, memory and IOVA both.
    func freeOrAbandon(_ id: RegionID, force: Bool = false) throws(DMAError) {
        do throws(DMAError) {
            try free(id, FreeRight(byOwner: true, force: force))
        } catch {
            abandon(id)
            throw error
        }
    }
}

extension DomainState {
    func info(_ record: RegionRecord) -> RegionInfo {
        let extent = extent(of: record)
        return RegionInfo(
            range: record.range, byteCount: record.byteCount, access: record.access,
            pageSize: extent.memory?.memory.pageSize, placement: extent.memory?.memory.placement,
            pageSizeRefusals: extent.memory?.refusals ?? [],
            isShared: record.isCarved || extent.handles.count > 1, extent: extent.range,
            tag: record.tag, addressBits: record.address)
    }
}
