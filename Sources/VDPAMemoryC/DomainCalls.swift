// The functions have the names of the header.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CVDPAMemory
internal import VDPAMemory

@c @implementation
public func vdm_domain_create(
    _ handle: OpaquePointer?, _ addressSpace: UInt32, _ given: UnsafePointer<vdm_domain_options>?,
    _ domain: UnsafeMutablePointer<OpaquePointer?>?
) -> CInt {
    onDevice(handle) { (device) throws(CallError) in
        let target = try output(domain)
        let wanted = try unsafe DMADomainOptions(options(given, default: vdm_domain_options()))
        let made = try library { () throws(DMAError) in
            try DMADomain(device, addressSpace: addressSpace, options: wanted)
        }
        unsafe target.pointee = try makeHandle(made, CVDM_KIND_DOMAIN)
    }
}

@c @implementation
public func vdm_domain_close(_ handle: OpaquePointer?) -> CInt {
    call { () throws(CallError) in
        try takeObject(handle, CVDM_KIND_DOMAIN, as: DMADomain.self).close()
    }
}

@c @implementation
public func vdm_domain_get_range(
    _ handle: OpaquePointer?, _ range: UnsafeMutablePointer<vdm_range>?
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        try output(range).pointee = vdm_range(domain.range)
    }
}

@c @implementation
public func vdm_attach(
    _ handle: OpaquePointer?, _ other: OpaquePointer?, _ addressSpace: UInt32
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        let device = try device(other)
        try library { () throws(DMAError) in
            try domain.attach(device, addressSpace: addressSpace)
        }
    }
}

@c @implementation
public func vdm_detach(
    _ handle: OpaquePointer?, _ other: OpaquePointer?, _ addressSpace: UInt32, _ flags: UInt32
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        try requireKnown(flags, VDM_DETACH_ABANDON.rawValue)
        let device = try device(other)
        let unmaps = flags & VDM_DETACH_ABANDON.rawValue == 0
        try library { () throws(DMAError) in
            try domain.detach(device, addressSpace: addressSpace, unmapping: unmaps)
        }
    }
}

@c @implementation
public func vdm_flush(_ handle: OpaquePointer?) -> CInt {
    perform(handle) { (domain) throws(DMAError) in try domain.flush() }
}

@c @implementation
public func vdm_flush_older_than(_ handle: OpaquePointer?, _ nanoseconds: UInt64) -> CInt {
    perform(handle) { (domain) throws(DMAError) in
        try domain.flush(olderThan: .nanoseconds(Int64(clamping: nanoseconds)))
    }
}

@c @implementation
public func vdm_trim(_ handle: OpaquePointer?) -> CInt {
    perform(handle) { (domain) throws(DMAError) in try domain.trim() }
}

@c @implementation
public func vdm_remap(_ handle: OpaquePointer?) -> CInt {
    perform(handle) { (domain) throws(DMAError) in try domain.remap() }
}

@c @implementation
public func vdm_domain_needs_remap(
    _ handle: OpaquePointer?, _ needsRemap: UnsafeMutablePointer<CInt>?
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        try output(needsRemap).pointee = domain.needsRemap ? 1 : 0
    }
}

/// A call on a domain.
@safe
func onDomain(
    _ handle: OpaquePointer?, _ body: (DMADomain) throws(CallError) -> Void
) -> CInt {
    call { () throws(CallError) in try body(try domain(handle)) }
}

/// A call on a domain that is one call of the library's.
@safe
private func perform(
    _ handle: OpaquePointer?, _ body: (DMADomain) throws(DMAError) -> Void
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        try library { () throws(DMAError) in try body(domain) }
    }
}
