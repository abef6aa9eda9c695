internal import CVhostVDPA
internal import Synchronization

/// The seam's other side on a real machine: `/dev/vhost-vdpa-N`.
///
/// Thread-safe: a call and `close` never meet, so a descriptor number that the process has reused
/// for another file is never written to. The lock is shared by nobody but this device's callers,
/// whom the kernel's own device mutex serialises anyway.
package final class KernelDeviceFile: DeviceFile {
    private let descriptor: Mutex<FileDescriptor?>

    /// Opens a vhost-vdpa device, close-on-exec. The kernel resets the device (see open(2) in
    /// drivers/vhost/vdpa.c: one opener at a time, otherwise EBUSY).
    ///
    /// - Returns: the file, or an errno.
    package static func open(path: String) -> Result<KernelDeviceFile, Errno> {
        // Safe: the string outlives the call, and open(2) only reads it.
        let result = unsafe path.withCString { unsafe cvhost_open($0) }
        guard result >= 0 else { return .failure(Errno(-result)) }
        return .success(KernelDeviceFile(FileDescriptor(takingOver: result)))
    }

    /// Owns a descriptor that somebody else opened.
    package init(_ descriptor: consuming FileDescriptor) {
        self.descriptor = Mutex(descriptor)
    }

    package func ioctl(_ request: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
        // Safe: the caller's structure has the size that the request number encodes.
        descriptor.withLock { file in
            guard let number = file.rawNumber else { return -EBADF }
            return unsafe cvhost_ioctl(number, request, argument)
        }
    }

    package func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        // Safe: the kernel reads at most `bytes.count` bytes.
        descriptor.withLock { file in
            guard let number = file.rawNumber else { return Int(-EBADF) }
            return unsafe cvhost_write(number, bytes.baseAddress, bytes.count)
        }
    }

    @discardableResult
    package func close() -> Int32 {
        descriptor.withLock { file in
            guard file != nil else { return -EBADF }
            file = nil
            return 0
        }
    }

    /// The descriptor's number, nil where the file is closed. It is not closed during `body`.
    package func withDescriptor<Answer: Sendable>(_ body: (Int32) -> Answer) -> Answer? {
        descriptor.withLock { file in file.rawNumber.map(body) }
    }

    /// Gives the descriptor up without closing it, for one that stays its lender's. Further calls
    /// answer `-EBADF`.
    ///
    /// - Returns: the descriptor; nil where the file is closed already.
    @discardableResult
    package func release() -> Int32? {
        descriptor.withLock { file in file.take()?.release() }
    }
}

extension Optional where Wrapped == FileDescriptor, Wrapped: ~Copyable {
    fileprivate var rawNumber: Int32? {
        switch self {
        case .some(let file): file.rawValue
        case .none: nil
        }
    }
}
