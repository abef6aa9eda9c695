internal import CVDPAMemory

// Structures that carry their size, so that they can grow: a caller compiled with an older header
// gives a shorter one, with a newer header a longer one.

/// The caller's options over the defaults: what a shorter structure does not have stays at 0, which
/// stands for the default everywhere; what is longer must be 0 where this library does not know it.
@safe
func options<Options>(
    _ pointer: UnsafePointer<Options>?, default known: Options
) throws(CallError) -> Options {
    guard let pointer = unsafe pointer else { return known }
    let given = unsafe UnsafeRawPointer(pointer)
    let size = unsafe given.load(as: Int.self)
    guard size >= MemoryLayout<Int>.size, size <= 1 << 16 else {
        throw CallError(VDM_E_INVALID_ARGUMENT)
    }
    var filled = known
    let shared = min(size, MemoryLayout<Options>.size)
    // Options are C structures of plain words: any bytes are a value.
    unsafe withUnsafeMutableBytes(of: &filled) { bytes in
        unsafe bytes.baseAddress!.copyMemory(from: given, byteCount: shared)
    }
    for offset in shared..<max(size, shared) {
        let byte = unsafe given.load(fromByteOffset: offset, as: UInt8.self)
        guard byte == 0 else { throw CallError(VDM_E_INVALID_ARGUMENT) }
    }
    return filled
}

/// Answers a structure into the caller's, which says how much of it it has; its size stays.
@safe
func answer<Answer>(
    _ value: Answer, into pointer: UnsafeMutablePointer<Answer>?
) throws(CallError) {
    let target = UnsafeMutableRawPointer(try output(pointer))
    let size = unsafe target.load(as: Int.self)
    guard size >= 2 * MemoryLayout<Int>.size else { throw CallError(VDM_E_INVALID_ARGUMENT) }
    let shared = min(size, MemoryLayout<Answer>.size)
    let head = MemoryLayout<Int>.size
    unsafe withUnsafeBytes(of: value) { bytes in
        unsafe (target + head).copyMemory(
            from: bytes.baseAddress! + head, byteCount: shared - head)
    }
}

/// Whether the caller's structure can be answered into, before anything is done.
@safe
func requireAnswerable<Answer>(_ pointer: UnsafeMutablePointer<Answer>?) throws(CallError) {
    let target = UnsafeMutableRawPointer(try output(pointer))
    guard unsafe target.load(as: Int.self) >= 2 * MemoryLayout<Int>.size else {
        throw CallError(VDM_E_INVALID_ARGUMENT)
    }
}
