internal import CDatapath

/// Figures of a pool. While no thread takes or gives they are exact, but for `highWaterMark`. While
/// threads do, depot and caches are read one after the other: a magazine that moves between them
/// meanwhile is counted twice or not at all, so each figure may be off by two magazines for each
/// thread that exchanged one, and by what was taken and given during the call.
public struct DMABufferPoolStatistics: Hashable, Sendable {
    /// All buffers of the pool's regions.
    public let capacity: Int
    /// Buffers that a thread with an empty cache can have.
    public let freeInDepot: Int
    /// Free buffers that only the thread can have in whose cache they are.
    public let freeInCaches: Int
    /// Buffers that were taken and not given back: `capacity` without the free ones, never
    /// negative.
    public let inUse: Int
    /// The most buffers that were out of the depot at once: in use, or in caches. Looked at when a
    /// thread refills, so it is never below the largest `inUse`, and above it by at most two
    /// magazines for each thread that uses the pool. With checks, or where caches hold none, it is
    /// the largest `inUse` itself. Threads that refill at the same moment may miss each other's
    /// last magazine.
    public let highWaterMark: Int
    /// How often a `take` found a thread's cache empty and went to the depot, with success. A bulk
    /// take counts each magazine. With checks, or without caches, every take is one.
    public let cacheMisses: Int
    /// How often a `give` found a thread's cache full and put a magazine into the depot.
    public let cacheSpills: Int
    /// How often a `take` found nothing, or less than it was to take.
    public let exhaustions: Int

    init(_ figures: cdp_pool_figures) {
        capacity = Int(figures.capacity)
        freeInDepot = Int(figures.in_depot)
        freeInCaches = Int(figures.in_caches)
        inUse = Int(figures.in_use)
        highWaterMark = Int(figures.peak)
        cacheMisses = Int(figures.refills)
        cacheSpills = Int(figures.spills)
        exhaustions = Int(figures.failures)
    }
}
