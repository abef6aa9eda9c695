internal import Glibc

/// CLOCK_MONOTONIC (clock_gettime(2)), which the vDSO answers without a system call.
package enum MonotonicClock {
    package static func nanoseconds() -> UInt64 {
        var now = timespec()
        // Safe: the call writes one value, and this clock is always there.
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec)
    }
}
