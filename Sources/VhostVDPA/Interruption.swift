/// What to do about EINTR: ask again, but not for ever.
///
/// vhost takes its locks uninterruptibly and waits for user-space devices in a way that only a
/// fatal signal ends, so EINTR is not expected at all; a bound keeps a device that always says so
/// from hanging the caller.
enum Interruption {
    /// How often a call is repeated after its first EINTR.
    static let limit = 100

    static func retry<Answer: Equatable>(
        _ interrupted: Answer, _ call: () -> Answer
    ) -> Answer {
        for _ in 0..<limit {
            let answer = call()
            if answer != interrupted { return answer }
        }
        return call()
    }
}

extension Errno {
    /// ENOTSUPP, an errno of the kernel's own (include/linux/errno.h) that leaks through open.
    static let kernelNotSupported = Errno(524)

    /// Reads a kernel answer: nil unless it is the negative of an errno. The kernel keeps -1 to
    /// -4095 for them (include/linux/err.h, MAX_ERRNO).
    init?(answer: Int) {
        guard (-4095 ... -1).contains(answer) else { return nil }
        self.init(Int32(-answer))
    }
}
