// The functions have the names of the header.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CVDPAMemory
internal import Glibc
internal import VDPAMemory

@c @implementation
public func vdm_domain_get_statistics(
    _ handle: OpaquePointer?, _ statistics: UnsafeMutablePointer<vdm_statistics>?
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        try answer(vdm_statistics(domain.statistics), into: statistics)
    }
}

extension vdm_statistics {
    fileprivate init(_ known: DMAStatistics) {
        self.init()
        regions = UInt64(known.regions)
        extents = UInt64(known.extents)
        region_bytes = known.regionBytes
        mapped_bytes = known.mappedBytes
        quarantined_extents = UInt64(known.quarantinedExtents)
        quarantined_bytes = known.quarantinedBytes
        entries_at_least = UInt64(known.entriesAtLeast)
        entries_at_most = UInt64(known.entriesAtMost)
        update_messages = known.updateMessages
        invalidate_messages = known.invalidateMessages
        batch_messages = known.batchMessages
        batches = known.batches
        failed_batches = known.failedBatches
        flushes = known.flushes
        failed_frees = known.failedFrees
        lost_extents = known.lostExtents
        writes_after_free = known.writesAfterFree
        free_bytes = known.freeBytes
        largest_hole_bytes = known.largestHoleBytes
    }
}

@c @implementation
public func vdm_domain_get_budget(
    _ handle: OpaquePointer?, _ budget: UnsafeMutablePointer<vdm_budget>?
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        try answer(vdm_budget(domain.budget), into: budget)
    }
}

extension vdm_budget {
    fileprivate init(_ known: DMABudget) {
        self.init()
        entries_at_least = UInt64(known.entriesAtLeast)
        entries_at_most = UInt64(known.entriesAtMost)
        entry_limit = known.entryLimit.map { UInt64($0) } ?? .max
        locked_bytes = known.lockedBytes
        locked_byte_limit = known.lockedByteLimit ?? .max
        regions = UInt64(known.regions)
        region_capacity = UInt64(known.regionCapacity)
        free_bytes = known.freeBytes
        largest_hole_bytes = known.largestHoleBytes
    }
}

@c @implementation
public func vdm_domain_get_requirement(
    _ handle: OpaquePointer?, _ regionCount: UInt64, _ byteCount: UInt64,
    _ options: UnsafePointer<vdm_region_options>?,
    _ requirement: UnsafeMutablePointer<vdm_requirement>?
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        let wanted = try unsafe RegionWishes(options).allocation
        let (number, size) = (try count(regionCount), try count(byteCount))
        let known = try library { () throws(DMAError) in
            try domain.requirement(ofRegions: number, byteCount: size, options: wanted)
        }
        try answer(vdm_requirement(known), into: requirement)
    }
}

extension vdm_requirement {
    fileprivate init(_ known: DMARequirement) {
        self.init()
        extents = UInt64(known.extents)
        entries_at_least = UInt64(known.entriesAtLeast)
        entries_at_most = UInt64(known.entriesAtMost)
        locked_bytes = known.lockedBytes
        iova_bytes = known.iovaBytes
        regions = UInt64(known.regions)
        shortage = known.shortage?.rawValue ?? 0
        may_exceed_entries = known.mayExceedEntries ? 1 : 0
    }
}

@c @implementation
public func vdm_domain_get_snapshot(
    _ handle: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        let target = try output(json)
        guard let text = unsafe strdup(domain.snapshot().json()) else {
            throw CallError(VDM_E_HOST_MEMORY)
        }
        unsafe target.pointee = text
    }
}
