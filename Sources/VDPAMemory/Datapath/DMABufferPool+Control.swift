internal import CDatapath
internal import Synchronization

// What the control plane does with a pool that others use meanwhile.

extension DMABufferPool {
    /// What the C interface works on, as long as this object lives.
    package var datapath: OpaquePointer { unsafe pool }

    /// The number of buffers, free or not.
    public var capacity: Int { unsafe Int(cdp_pool_buffer_count(pool)) }

    /// The buffers that one of a thread's two magazines holds: what was asked for, less where the
    /// pool began small, 0 with checks.
    public var cacheCapacity: Int { unsafe Int(cdp_pool_cache_capacity(pool)) }

    /// Whether, since it was cleared last, a `take` found nothing or the depot has fallen to
    /// `Options.lowWaterMark`.
    public var isLow: Bool { unsafe cdp_pool_is_low(pool) }

    /// Lowers the low-water flag, and tells whether it was up.
    ///
    /// Clear it before `grow`: what happens meanwhile raises it again.
    public func clearLow() -> Bool { unsafe cdp_pool_clear_low_water(pool) }

    /// Adds all the buffers that fit into a region, and takes the region over. Threads go on to
    /// take and give, and find the new buffers as soon as they are there.
    ///
    /// - Throws: `invalidArgument`, `hostMemory`, as the initialiser does. The region has been
    ///   freed then, and the pool is as before.
    /// - Returns: how many buffers it brought.
    /// - Complexity: O(n) in them. System calls: mmap, where more magazines are needed.
    @discardableResult
    public func grow(_ region: consuming DMARegion) throws(DMAError) -> Int {
        var place = try shape.place(in: region)
        let owner = PoolRegion(region, firstAddress: place.address)
        let isAdded = regions.withLock { regions in
            // Safe: what is passed is read during the call.
            guard unsafe cdp_pool_add(pool, &place) == 0 else { return false }
            regions.append(owner)
            return true
        }
        guard isAdded else { throw DMAError.noPoolTables }
        return Int(place.count)
    }

    /// Frees the regions all of whose buffers are free, except the first one: those that came last
    /// first. A region with a buffer in use stays as it is, and so does one with a buffer in
    /// another thread's cache.
    ///
    /// Meanwhile threads that have nothing in their caches may find the pool exhausted: the depot's
    /// buffers are out of it while they are counted. Afterwards no thread is handed a buffer of a
    /// region that went.
    ///
    /// - Returns: how many regions went.
    /// - Throws: where the kernel refused to free one, after all have been tried: those regions are
    ///   no longer the pool's, and in quarantine. See `DMARegion.free`.
    /// - Complexity: O(f log r) for f free buffers and r regions. System calls: those of freeing.
    @discardableResult
    public func trim() throws(DMAError) -> Int {
        let gone = regions.withLock { regions in
            let limit = regions.count
            // Safe: the call writes at most `limit` elements and returns how many.
            let places = unsafe [cdp_pool_region](
                unsafeUninitializedCapacity: limit
            ) { places, count in
                guard let first = places.baseAddress else { return }
                unsafe count = cdp_pool_trim(pool, first, limit)
            }
            let addresses = Set(places.map(\.address))
            let gone = regions.filter { addresses.contains($0.firstAddress) }
            regions.removeAll { addresses.contains($0.firstAddress) }
            return gone
        }
        var failure: DMAError?
        for region in gone.reversed() {
            do throws(DMAError) {
                try region.free()
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return gone.count
    }

    /// The pool's figures now.
    ///
    /// - Complexity: O(1): 256 caches are looked at. System calls: none, unless it waits for `grow`
    ///   or `trim`.
    public var statistics: DMABufferPoolStatistics {
        var figures = cdp_pool_figures()
        // Safe: the call writes all of it.
        unsafe cdp_pool_read_figures(pool, &figures)
        return DMABufferPoolStatistics(figures)
    }
}
