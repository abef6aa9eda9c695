internal import CVDPAMemory
internal import VDPAMemory

// The objects that handles name. A name is made and looked up in C (handles.c): it is never an
// address, so that one that is stale or made up is found out.

/// Gives an object a name, which holds it until it is taken away.
///
/// - Parameter fast: what calls of nanoseconds work on without the object; as long as that lives.
@safe
func makeHandle(
    _ object: AnyObject, _ kind: cvdm_kind, fast: UnsafeMutableRawPointer? = nil
) throws(CallError) -> OpaquePointer {
    let kept = unsafe Unmanaged.passRetained(object)
    guard let name = unsafe cvdm_handle_make(kind.rawValue, kept.toOpaque(), fast) else {
        unsafe kept.release()
        throw CallError(VDM_E_HOST_MEMORY)
    }
    return OpaquePointer(name)
}

/// The object that a name stands for.
@safe
func object<Object: AnyObject>(
    _ handle: OpaquePointer?, _ kind: cvdm_kind, as type: Object.Type
) throws(CallError) -> Object {
    let name = unsafe UnsafeRawPointer(handle)
    // Retained before the lock is let go: another thread may take the name away right after.
    cvdm_handles_lock()
    let found = unsafe cvdm_handle_find(name, kind.rawValue).map {
        unsafe Unmanaged<Object>.fromOpaque($0).takeUnretainedValue()
    }
    cvdm_handles_unlock()
    guard let found else { throw CallError(VDM_E_BAD_HANDLE) }
    return found
}

/// Takes a name away, and answers the object, which nothing else here holds any more.
@safe
func takeObject<Object: AnyObject>(
    _ handle: OpaquePointer?, _ kind: cvdm_kind, as type: Object.Type
) throws(CallError) -> Object {
    let name = unsafe UnsafeRawPointer(handle)
    guard let taken = unsafe cvdm_handle_take(name, kind.rawValue) else {
        throw CallError(VDM_E_BAD_HANDLE)
    }
    return unsafe Unmanaged<Object>.fromOpaque(taken).takeRetainedValue()
}

@safe
func device(_ handle: OpaquePointer?) throws(CallError) -> VDPADevice {
    try object(handle, CVDM_KIND_DEVICE, as: VDPADevice.self)
}

@safe
func domain(_ handle: OpaquePointer?) throws(CallError) -> DMADomain {
    try object(handle, CVDM_KIND_DOMAIN, as: DMADomain.self)
}
