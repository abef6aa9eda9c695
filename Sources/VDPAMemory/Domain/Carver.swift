internal import Glibc
internal import HostMemory

/// What regions must have in common to share extents.
struct CarverKey: Hashable {
    let access: DMAAccess
    let pages: PagePolicy
    let node: NodePolicy
    let isInheritedByFork: Bool
    let isExcludedFromCoreDumps: Bool
    let isZeroedWhenFreed: Bool

    init(_ wanted: AllocationOptions) {
        access = wanted.access
        pages = wanted.pages
        node = wanted.node
        isInheritedByFork = wanted.isInheritedByFork
        isExcludedFromCoreDumps = wanted.isExcludedFromCoreDumps
        isZeroedWhenFreed = wanted.isZeroedWhenFreed
    }
}

extension CarverKey {
    /// What tells the kind of a carved region in one word, where it names no lists: comparing words
    /// takes no copy of options and no reference count. nil for the others, which take the long
    /// way.
    var code: UInt64? { CarverKey.code(self.access, pages, node, flags) }

    private var flags: UInt64 {
        (isInheritedByFork ? 1 : 0) | (isExcludedFromCoreDumps ? 2 : 0)
            | (isZeroedWhenFreed ? 4 : 0)
    }

    static func code(_ wanted: borrowing AllocationOptions) -> UInt64? {
        let flags: UInt64 =
            (wanted.isInheritedByFork ? 1 : 0) | (wanted.isExcludedFromCoreDumps ? 2 : 0)
            | (wanted.isZeroedWhenFreed ? 4 : 0)
        return code(wanted.access, wanted.pages, wanted.node, flags)
    }

    private static func code(
        _ access: DMAAccess, _ pages: borrowing PagePolicy, _ node: borrowing NodePolicy,
        _ flags: UInt64
    ) -> UInt64? {
        let page: UInt64
        switch pages {
        case .largest: page = 0
        case .exactly(.size4KiB): page = 1
        case .exactly(.transparent2MiB): page = 2
        case .exactly(.size2MiB): page = 3
        case .exactly(.size1GiB): page = 4
        case .firstOf: return nil
        }
        let kind: UInt64
        switch node {
        case .device: kind = 0
        case .any: kind = 1
        case .required(let number): kind = 2 | UInt64(UInt32(truncatingIfNeeded: number)) << 8
        case .preferred(let number): kind = 3 | UInt64(UInt32(truncatingIfNeeded: number)) << 8
        // Settled by the calling thread, which the long way does.
        case .callingThread, .interleaved: return nil
        }
        return kind << 16 | page << 8 | UInt64(access.rawValue) << 4 | flags
    }
}

/// The space from which regions alike are carved: its usable ranges are mapped shared extents, so
/// that a region in it costs no message.
///
/// Who may touch what: only the domain, under its lock.
@safe
final class Carver: @unchecked Sendable {
    let key: CarverKey
    /// See `CarverKey.code`.
    let code: UInt64?
    var space: IOVASpace {
        // Safe: nobody else has the pointer, and the domain's lock keeps accesses apart. As a
        // stored property of a class each access is checked for others when the program runs, a
        // tenth of a carve.
        _read { yield unsafe spaceOwned.pointee }
        _modify { yield unsafe &spaceOwned.pointee }
    }
    private let spaceOwned: UnsafeMutablePointer<IOVASpace>
    /// The bytes of all its extents.
    var extentBytes: UInt64 = 0
    var extentCount = 0
    /// The extent that the last region was carved from: the next one mostly comes from it too.
    var recentExtent: Extent?
    /// Extents grow no further than this: the smallest size once something was short, until an
    /// extent has gone. A large one that is refused has cost its memory's population.
    var growthLimit = Carver.largestExtent
    /// The process whose memory it is: a forked child must not write to it.
    let processID = getpid()

    init(_ key: CarverKey, regionCapacity: Int) throws(IOVASpaceError) {
        self.key = key
        code = key.code
        let space = try IOVASpace(
            usable: [], regionCapacity: regionCapacity,
            metadata: IOVAMetadataOptions(isPopulated: false, advice: MetadataAdvice.hugePages))
        unsafe spaceOwned = .allocate(capacity: 1)
        unsafe spaceOwned.initialize(to: space)
    }

    deinit {
        unsafe spaceOwned.deinitialize(count: 1)
        unsafe spaceOwned.deallocate()
    }

    static let smallestExtent = 2 << 20
    static let largestExtent = 1 << 30

    /// How large the next extent is to be: a quarter of what there is, so that extents grow with
    /// use and a million small regions need a few dozen entries; never less than what is wanted.
    ///
    /// - Parameter wanted: the bytes known to be needed soon.
    func nextExtentByteCount(region: Int, wanted: Int) -> Int {
        Carver.nextExtentByteCount(
            mapped: extentBytes, region: region, wanted: wanted, limit: growthLimit)
    }

    /// The same with so many bytes mapped already.
    static func nextExtentByteCount(
        mapped: UInt64, region: Int, wanted: Int, limit: Int = Carver.largestExtent
    ) -> Int {
        let grown = min(Int(clamping: mapped / 4), limit)
        let size = max(Carver.smallestExtent, grown, min(wanted, limit), region)
        return (size + Carver.smallestExtent - 1) & ~(Carver.smallestExtent - 1)
    }

    /// The size of an extent where memory, space or a budget is short.
    func smallestExtentByteCount(region: Int) -> Int {
        let size = max(Carver.smallestExtent, region)
        return (size + Carver.smallestExtent - 1) & ~(Carver.smallestExtent - 1)
    }

    /// Whether an extent that has become empty is given back: only while the others keep half as
    /// much free, so that a load that swings around a boundary does not map and unmap.
    ///
    /// - Parameter retiring: extents that are on their way out already.
    func releasesWhenEmpty(_ extent: Extent, retiring: [Extent]) -> Bool {
        let leaving = retiring.filter { $0.carver === self } + [extent]
        let freeElsewhere = leaving.reduce(space.freeByteCount) { $0 - $1.freeBytes }
        return freeElsewhere >= extent.byteCount / 2
    }
}
