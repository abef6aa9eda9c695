internal import CVhostVDPA

/// An errno as the kernel answered it. Its description is the symbol, a number alone where the
/// symbol is not one of those that a vhost-vdpa call can answer.
package struct Errno: Error, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: Int32

    package init(_ rawValue: Int32) { self.rawValue = rawValue }

    package static let badDescriptor = Errno(EBADF)
    package static let fault = Errno(EFAULT)
    package static let invalid = Errno(EINVAL)
    package static let busy = Errno(EBUSY)
    package static let notOwner = Errno(EPERM)
    package static let notSupported = Errno(EOPNOTSUPP)
    package static let notTypewriter = Errno(ENOTTY)
    package static let noSuchQueue = Errno(ENOBUFS)
    package static let interrupted = Errno(EINTR)
    package static let noMemory = Errno(ENOMEM)
    package static let ioError = Errno(EIO)
    package static let noDevice = Errno(ENODEV)
    package static let tooBig = Errno(E2BIG)

    package var description: String {
        Errno.symbols[rawValue].map { "\($0) (\(rawValue))" } ?? "errno \(rawValue)"
    }

    private static let symbols: [Int32: String] = [
        EPERM: "EPERM", ENOENT: "ENOENT", EINTR: "EINTR", EIO: "EIO", EBADF: "EBADF",
        EAGAIN: "EAGAIN", ENOMEM: "ENOMEM", EACCES: "EACCES", EFAULT: "EFAULT", EBUSY: "EBUSY",
        EEXIST: "EEXIST", ENODEV: "ENODEV", EINVAL: "EINVAL", EMFILE: "EMFILE", ENOTTY: "ENOTTY",
        ENOSPC: "ENOSPC", E2BIG: "E2BIG", ENOBUFS: "ENOBUFS", EOPNOTSUPP: "EOPNOTSUPP",
        ETIMEDOUT: "ETIMEDOUT", ENXIO: "ENXIO", 524: "ENOTSUPP",
    ]
}
