// The functions have the names of the header.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CVDPAMemory
internal import VDPAMemory

@c @implementation
public func vdm_allocate(
    _ handle: OpaquePointer?, _ byteCount: UInt64, _ options: UnsafePointer<vdm_region_options>?,
    _ region: UnsafeMutablePointer<vdm_region>?
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        let target = try output(region)
        let wanted = try unsafe RegionWishes(options).allocation
        let size = try count(byteCount)
        unsafe target.pointee = try library { () throws(DMAError) in
            let made = try domain.allocate(byteCount: size, options: wanted)
            return unsafe vdm_region(owning: made)
        }
    }
}

extension vdm_region {
    /// A region that lives on under its ID.
    fileprivate init(owning region: consuming DMARegion) {
        let address = unsafe region.address
        let (iova, byteCount, access) = (region.iova, region.byteCount, region.access)
        let id = region.relinquish()
        unsafe self.init(
            id: vdm_region_id(id), access: UInt32(access.rawValue), address: address,
            iova: iova.rawValue, byte_count: UInt64(byteCount))
    }
}

@c @implementation
public func vdm_register(
    _ handle: OpaquePointer?, _ address: UnsafeMutableRawPointer?, _ byteCount: UInt64,
    _ options: UnsafePointer<vdm_region_options>?, _ region: UnsafeMutablePointer<vdm_region>?
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        let target = try output(region)
        let wanted = try unsafe RegionWishes(options)
        let memory = try externalMemory(address, byteCount)
        unsafe target.pointee = try library { () throws(DMAError) in
            let made = try unsafe domain.register(
                memory, at: wanted.placement, access: wanted.access, isolation: wanted.isolation,
                tag: wanted.allocation.tag)
            return unsafe vdm_region(owning: made)
        }
    }
}

/// The caller's memory, which he keeps mapped.
@safe
func externalMemory(
    _ address: UnsafeMutableRawPointer?, _ byteCount: UInt64
) throws(CallError) -> UnsafeMutableRawBufferPointer {
    guard let address = unsafe address else { throw CallError(VDM_E_NULL_ARGUMENT) }
    return unsafe UnsafeMutableRawBufferPointer(start: address, count: try count(byteCount))
}

@c @implementation
public func vdm_free(_ handle: OpaquePointer?, _ id: vdm_region_id, _ flags: UInt32) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        try requireKnown(flags, VDM_FREE_FORCE.rawValue)
        try library { () throws(DMAError) in
            try domain.free(id.id, force: flags & VDM_FREE_FORCE.rawValue != 0)
        }
    }
}

@c @implementation
public func vdm_region_get_info(
    _ handle: OpaquePointer?, _ id: vdm_region_id, _ info: UnsafeMutablePointer<vdm_region_info>?
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        let known = try library { () throws(DMAError) in try domain.info(id.id) }
        var told = unsafe vdm_region_info()
        unsafe told.region = vdm_region(id.id, known)
        unsafe told.extent = vdm_range(known.extent)
        unsafe told.page_byte_count = UInt64(known.pageSize?.byteCount ?? 0)
        unsafe told.is_shared = known.isShared ? 1 : 0
        unsafe told.first_node = Int32(clamping: firstNode(known) ?? -1)
        try answer(told, into: info)
    }
}

private func firstNode(_ info: RegionInfo) -> Int? {
    info.placement?.pagesByNode.max { $0.value < $1.value }?.key
}

@c @implementation
public func vdm_region_export(
    _ handle: OpaquePointer?, _ id: vdm_region_id, _ exported: UnsafeMutablePointer<vdm_export>?
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        // Before there is a descriptor that could be left open.
        try requireAnswerable(exported)
        let memory = try library { () throws(DMAError) in try domain.export(id.id) }
        var told = vdm_export()
        told.offset = UInt64(memory.offset)
        told.byte_count = UInt64(memory.byteCount)
        told.mappable_byte_count = UInt64(memory.mappableByteCount)
        told.page_byte_count = UInt64(memory.pageSize.byteCount)
        told.descriptor = memory.takeDescriptor()
        try answer(told, into: exported)
    }
}
