internal import CVhostVDPA
internal import Glibc
internal import Synchronization

/// A descriptor that somebody else opened, on trial: until `keep` it stays its lender's, and the
/// end of this object, or `close`, leaves it open. From `keep` on this object owns it.
package final class LentDeviceFile: DeviceFile {
    private let file: KernelDeviceFile
    private let isKept = Atomic(false)

    package init(_ descriptor: Int32) {
        file = KernelDeviceFile(FileDescriptor(takingOver: descriptor))
    }

    deinit { close() }

    /// Takes the descriptor over, and makes it close-on-exec.
    ///
    /// - Precondition: nobody has closed it. No error is possible then.
    package func keep() {
        _ = file.withDescriptor { cvhost_set_cloexec($0) }
        isKept.store(true, ordering: .sequentiallyConsistent)
    }

    package func ioctl(_ request: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
        // Safe: the caller vouches for the argument.
        unsafe file.ioctl(request, argument)
    }

    package func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        // Safe: the caller vouches for the bytes.
        unsafe file.write(bytes)
    }

    @discardableResult
    package func close() -> Int32 {
        if isKept.load(ordering: .sequentiallyConsistent) { return file.close() }
        return file.release() == nil ? -EBADF : 0
    }
}

extension KernelDeviceFile {
    /// A second descriptor of somebody else's open file (fcntl(2), F_DUPFD_CLOEXEC).
    ///
    /// - Returns: the file, or an errno.
    package static func duplicate(_ descriptor: Int32) -> Result<KernelDeviceFile, Errno> {
        let result = cvhost_duplicate(descriptor)
        guard result >= 0 else { return .failure(Errno(-result)) }
        return .success(KernelDeviceFile(FileDescriptor(takingOver: result)))
    }

    /// Whether a descriptor can be written to, as messages are (fcntl(2), F_GETFL).
    ///
    /// - Returns: the answer, or an errno.
    package static func isWritable(_ descriptor: Int32) -> Result<Bool, Errno> {
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0 else { return .failure(.badDescriptor) }
        return .success(flags & O_ACCMODE != O_RDONLY)
    }
}
