internal import CBenchmark
internal import Glibc

/// Memory with every page there already, so that mapping it is all that a measurement holds.
///
/// Safe to hold: one owner, whose deinit unmaps it.
@safe
struct PopulatedMemory: ~Copyable {
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) throws(BenchmarkError) {
        var mapping: UnsafeMutableRawPointer?
        // Safe: the call writes the pointer before it is read, and this value owns the mapping.
        let mapped = unsafe cbench_map(byteCount, 0, &mapping)
        guard mapped == 0 else { throw Self.error("mmap", byteCount, mapped) }
        let populated = unsafe cbench_populate(mapping, byteCount)
        guard populated == 0 else {
            unsafe _ = cbench_unmap(mapping, byteCount)
            throw Self.error("MADV_POPULATE_WRITE", byteCount, populated)
        }
        unsafe bytes = UnsafeMutableRawBufferPointer(start: mapping, count: byteCount)
    }

    deinit { unsafe _ = cbench_unmap(bytes.baseAddress, bytes.count) }

    /// Page `index` of 4 KiB; in bounds, or the process ends.
    func page(_ index: Int) -> UnsafeMutableRawBufferPointer {
        let first = index * PageKind.size4KiB.pageBytes
        return unsafe UnsafeMutableRawBufferPointer(
            rebasing: bytes[first..<first + PageKind.size4KiB.pageBytes])
    }

    private static func error(_ call: String, _ byteCount: Int, _ code: Int32) -> BenchmarkError {
        // Safe: strerror's text is copied at once.
        BenchmarkError("\(call) of \(byteCount) bytes: \(unsafe String(cString: strerror(-code)))")
    }
}
