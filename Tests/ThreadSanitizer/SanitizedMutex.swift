internal import CDatapath

/// Stands in the place of Swift's `Mutex` in these builds: a declaration of the module hides one
/// that it imports. ThreadSanitizer cannot see what the kernel writes into that one's word, and
/// reports races where there are none; it knows this one.
@safe
struct Mutex<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
    // Safe to share: the value is only touched with the lock held, and goes with its owner.
    private let lock: OpaquePointer
    private let value: UnsafeMutablePointer<Value>

    init(_ value: consuming sending Value) {
        unsafe lock = cdp_mutex_create()
        unsafe self.value = .allocate(capacity: 1)
        unsafe self.value.initialize(to: value)
    }

    deinit {
        unsafe value.deinitialize(count: 1)
        unsafe value.deallocate()
        unsafe cdp_mutex_destroy(lock)
    }

    borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe cdp_mutex_lock(lock)
        defer { unsafe cdp_mutex_unlock(lock) }
        return try unsafe body(&value.pointee)
    }
}
