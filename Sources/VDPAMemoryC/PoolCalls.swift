// The functions have the names of the header.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CVDPAMemory
internal import VDPAMemory

// A pool's control plane; take and give are in C (datapath.c).

@c @implementation
public func vdm_pool_create(
    _ handle: OpaquePointer?, _ id: vdm_region_id, _ bufferByteCount: Int,
    _ given: UnsafePointer<vdm_pool_options>?, _ pool: UnsafeMutablePointer<OpaquePointer?>?
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        let target = try output(pool)
        let wanted = try DMABufferPoolOptions(options(given, default: vdm_pool_options()))
        let made = try library { () throws(DMAError) in
            try DMABufferPool(
                DMARegion(owning: id.id, in: domain), bufferSize: bufferByteCount,
                options: wanted)
        }
        // Safe: the object that the handle holds keeps it.
        unsafe target.pointee = try makeHandle(
            made, CVDM_KIND_POOL, fast: UnsafeMutableRawPointer(made.datapath))
    }
}

extension DMABufferPoolOptions {
    fileprivate init(_ given: vdm_pool_options) throws(CallError) {
        try requireKnown(given.flags, VDM_POOL_CHECKS.rawValue)
        self.init(checks: given.flags & VDM_POOL_CHECKS.rawValue != 0 ? .on : .off)
        if given.alignment != 0 { alignment = Int(given.alignment) }
        headroom = Int(given.headroom)
        if given.cache_capacity != 0 { cacheCapacity = Int(given.cache_capacity) }
        lowWaterMark = Int(given.low_water_mark)
    }
}

@c @implementation
public func vdm_pool_destroy(_ handle: OpaquePointer?) -> CInt {
    call { () throws(CallError) in
        _ = try takeObject(handle, CVDM_KIND_POOL, as: DMABufferPool.self)
    }
}

@c @implementation
public func vdm_pool_grow(
    _ handle: OpaquePointer?, _ owner: OpaquePointer?, _ id: vdm_region_id
) -> CInt {
    onPool(handle) { (pool) throws(CallError) in
        let domain = try domain(owner)
        try library { () throws(DMAError) in
            _ = try pool.grow(DMARegion(owning: id.id, in: domain))
        }
    }
}

@c @implementation
public func vdm_pool_trim(_ handle: OpaquePointer?, _ freed: UnsafeMutablePointer<Int>?) -> CInt {
    onPool(handle) { (pool) throws(CallError) in
        let target = try output(freed)
        unsafe target.pointee = try library { () throws(DMAError) in try pool.trim() }
    }
}

@c @implementation
public func vdm_pool_clear_low(
    _ handle: OpaquePointer?, _ wasLow: UnsafeMutablePointer<CInt>?
) -> CInt {
    onPool(handle) { (pool) throws(CallError) in
        try output(wasLow).pointee = pool.clearLow() ? 1 : 0
    }
}

@c @implementation
public func vdm_pool_get_statistics(
    _ handle: OpaquePointer?, _ statistics: UnsafeMutablePointer<vdm_pool_statistics>?
) -> CInt {
    onPool(handle) { (pool) throws(CallError) in
        let known = pool.statistics
        var told = vdm_pool_statistics()
        told.capacity = UInt64(known.capacity)
        told.in_use = UInt64(known.inUse)
        told.free_in_depot = UInt64(known.freeInDepot)
        told.free_in_caches = UInt64(known.freeInCaches)
        told.high_water_mark = UInt64(known.highWaterMark)
        told.cache_misses = UInt64(known.cacheMisses)
        told.exhaustions = UInt64(known.exhaustions)
        try answer(told, into: statistics)
    }
}

@safe
private func onPool(
    _ handle: OpaquePointer?, _ body: (DMABufferPool) throws(CallError) -> Void
) -> CInt {
    call { () throws(CallError) in
        try body(try object(handle, CVDM_KIND_POOL, as: DMABufferPool.self))
    }
}
