public import CDatapath
public import IOVAAllocator
internal import Synchronization

/// Buffers of one size, taken and given back in nanoseconds by any thread.
///
/// `take` and `give` are lock-free: no lock, no allocation, no system call, no reference counting.
/// A pool that is exhausted answers nil; it never maps. `grow` and `trim` do, and belong to the
/// control plane.
///
/// Each thread keeps up to two magazines of free buffers (`DMABufferPoolOptions.cacheCapacity`) in
/// front of the depot that all share, and exchanges a whole one when both are empty or full. So a
/// thread may find the pool exhausted while others keep free buffers. What a thread keeps goes back
/// to the depot when it ends. 256 threads at a time have caches; further ones use the depot.
///
/// A buffer may be given back by any thread, and is best taken again by the one that gave it: the
/// last one given is the first one taken, while it is in the processor's cache.
///
/// In a child made by fork(2) the pool is not to be used: the device belongs to the parent.
@safe
public final class DMABufferPool: Sendable {
    /// How buffers lie, and how threads share them.
    public typealias Options = DMABufferPoolOptions

    /// The bytes of one buffer, as asked for.
    public let bufferByteCount: Int
    /// The bytes from one buffer to the next: head-room and size, rounded up to the alignment.
    public let stride: Int
    /// The bytes in front of each buffer's address that belong to it.
    public let headroom: Int

    /// The layout that `take` and `give` work on inline; see `cdatapath_pool.h`.
    // Safe to share: made before anybody sees it, ended after everybody's last use; what is behind
    // it is for all threads.
    @usableFromInline nonisolated(unsafe) let pool: OpaquePointer

    let shape: PoolShape
    /// The memory, in the order in which it came. Nobody else has it, so it cannot be unmapped
    /// underneath.
    let regions: Mutex<[PoolRegion]>

    /// Makes a pool of all the buffers that fit into a region, and takes the region over.
    ///
    /// - Parameter region: the memory, which the pool takes over.
    /// - Parameter options: alignment, head-room, caches and checks.
    /// - Parameter bufferSize: in bytes, at least 1.
    /// - Throws: `invalidArgument` where no buffer fits, or address and IOVA cannot both be
    ///   aligned; `hostMemory` where there is none for the pool's own tables. The region has been
    ///   freed then.
    /// - Complexity: O(n) in the number of buffers. System calls: mmap, for the magazines.
    public init(
        _ region: consuming DMARegion, bufferSize: Int, options: Options = Options()
    ) throws(DMAError) {
        let shape = try PoolShape(bufferSize: bufferSize, options)
        var place = try shape.place(in: region)
        // Whatever is more than a pool can have is as good as that.
        func limited(_ value: Int, to limit: UInt32) -> UInt32 { UInt32(min(value, Int(limit))) }
        var settings = cdp_pool_options(
            stride: UInt64(shape.stride), byte_count: UInt64(shape.bufferByteCount),
            headroom: UInt64(shape.headroom),
            cache_capacity: cdp_pool_fitting_cache(
                limited(options.cacheCapacity, to: UInt32(CDP_POOL_MAX_CACHE)), place.count),
            low_water_mark: limited(options.lowWaterMark, to: UInt32(CDP_POOL_MAX_BUFFERS)),
            checks: options.areChecksOn)
        // Safe: what is passed is read during the call; the pool is this object's alone.
        guard let pool = unsafe cdp_pool_create(&settings) else { throw DMAError.noPoolTables }
        guard unsafe cdp_pool_add(pool, &place) == 0 else {
            unsafe cdp_pool_destroy(pool)
            throw DMAError.noPoolTables
        }
        unsafe self.pool = pool
        bufferByteCount = shape.bufferByteCount
        stride = shape.stride
        headroom = shape.headroom
        self.shape = shape
        regions = Mutex([PoolRegion(region, firstAddress: place.address)])
    }

    /// Allocates a region for at least `count` buffers, and makes a pool of it.
    ///
    /// - Parameter domain: which allocates the region.
    /// - Parameter bufferSize: in bytes, at least 1.
    /// - Parameter count: how many buffers, at least 1.
    /// - Parameter options: alignment, head-room, caches and checks.
    /// - Parameter allocation: what the region is to be; its alignment is raised to the buffers'.
    /// - Throws: as `init(_:bufferSize:options:)` and `DMADomain.allocate` do; nothing is left
    ///   then.
    public convenience init(
        _ domain: DMADomain, bufferSize: Int, count: Int, options: Options = Options(),
        allocation: AllocationOptions = AllocationOptions()
    ) throws(DMAError) {
        let shape = try PoolShape(bufferSize: bufferSize, options)
        guard let byteCount = shape.byteCount(of: count) else {
            throw DMAError(
                .invalidArgument, "\(count) buffers of \(bufferSize) bytes fit no region.",
                remedy: "Ask for at least one, and less than 2^46 bytes together.")
        }
        var allocation = allocation
        allocation.alignment = max(allocation.alignment, UInt64(shape.alignment))
        let region = try domain.allocate(byteCount: byteCount, options: allocation)
        try self.init(region, bufferSize: bufferSize, options: options)
    }

    deinit {
        // Safe: nobody has a reference any more. The regions go after this.
        unsafe cdp_pool_destroy(pool)
    }

    /// A buffer, or nil when neither the depot nor this thread's cache has one: then the low-water
    /// flag is up. Its content is what its last user left, or a pattern with checks.
    ///
    /// - Complexity: O(1), lock-free (with checks, behind a lock). System calls: none.
    @inlinable @inline(__always)
    public func take() -> DMABuffer? {
        // Safe: the pool lives as long as this object.
        let buffer = unsafe cdp_pool_take(pool)
        guard buffer.address != 0 else { return nil }
        return DMABuffer(addressBits: UInt(buffer.address), iova: IOVA(buffer.iova))
    }

    /// Gives a buffer back, from any thread. The device must be done with it.
    ///
    /// - Precondition: the buffer is of this pool, and out. Checked where checks are on; elsewhere
    ///   a foreign buffer becomes one of the pool's, and one given twice gets two users.
    /// - Complexity: O(1), lock-free (with checks, behind a lock). System calls: none.
    @inlinable @inline(__always)
    public func give(_ buffer: DMABuffer) {
        // Safe: as above.
        unsafe cdp_pool_give(
            pool, cdp_buffer(address: UInt64(buffer.addressBits), iova: buffer.iova.rawValue))
    }
}

/// A region of a pool: its owner, in a form that an array can hold.
final class PoolRegion: @unchecked Sendable {
    // Safe to send: used behind the lock of its pool, or by one owner after it has left it.
    let firstAddress: UInt64
    private var region: DMARegion?

    init(_ region: consuming DMARegion, firstAddress: UInt64) {
        self.firstAddress = firstAddress
        self.region = consume region
    }

    func free() throws(DMAError) { try region.take()?.free() }
}

extension DMAError {
    static var noPoolTables: DMAError {
        DMAError(
            .hostMemory,
            "There is no memory for the tables of a pool, or the pool would have more "
                + "than 2^31 - 1 buffers.",
            remedy: "Free memory or address space (ulimit -v), or make two pools.")
    }
}
