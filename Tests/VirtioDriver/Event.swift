internal import CVirtioDriver
internal import Glibc
package import VDPAMemory

/// An eventfd, closed at the end of its life.
package struct QueueEvent: ~Copyable {
    private let descriptor: Int32

    package init() throws(DriverError) {
        descriptor = cvd_event()
        guard descriptor >= 0 else { throw .event(-descriptor) }
    }

    deinit { if descriptor >= 0 { _ = close(descriptor) } }

    package var binding: EventBinding { .eventfd(descriptor) }

    package func signal() throws(DriverError) {
        let result = cvd_signal(descriptor)
        guard result == 0 else { throw .event(-result) }
    }

    package func clear() { _ = cvd_clear(descriptor) }

    /// Whether it was signalled in time.
    package func wait(milliseconds: Int) throws(DriverError) -> Bool {
        let result = cvd_wait(descriptor, Int32(clamping: milliseconds))
        guard result >= 0 else { throw .event(-result) }
        return result > 0
    }
}

/// A moment to be done by.
package struct Deadline: Sendable {
    private let nanoseconds: UInt64

    package init(milliseconds: Int) {
        nanoseconds = cvd_nanoseconds() + UInt64(max(milliseconds, 0)) * 1_000_000
    }

    package var isPast: Bool { cvd_nanoseconds() >= nanoseconds }

    /// What is left, rounded up.
    package var milliseconds: Int {
        let now = cvd_nanoseconds()
        return now >= nanoseconds ? 0 : Int((nanoseconds - now + 999_999) / 1_000_000)
    }
}
