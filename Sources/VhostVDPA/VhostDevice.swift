internal import CVhostVDPA

/// A vhost-vdpa device and every operation of its device file, one method each.
///
/// Owns the file: the end of its life closes it, once. With the last reference the kernel resets
/// the device, unmaps and unpins everything (drivers/vhost/vdpa.c, `vhost_vdpa_release`); a fork
/// or dup of the descriptor counts as a reference. The IOTLB messages are in `IOTLBChannel`.
///
/// Any thread may call: the kernel serialises all but SET_BACKEND_FEATURES with the device's
/// mutex, which it also holds while an UPDATE pins pages, so a call can wait for a large map.
/// Where a method says "owner", only the process that called `setOwner` may use it; everything
/// else works in any process that holds the descriptor. The version is the kernel's that brought
/// the operation. Every method throws `VhostError`; every errno is explained there.
package struct VhostDevice: ~Copyable, Sendable {
    package let file: any DeviceFile

    /// Takes over `file`; nobody else may close it from now on.
    package init(_ file: any DeviceFile) { self.file = file }

    deinit { file.close() }

    /// open(2) of `/dev/vhost-vdpa-N`. Resets the device; one opener at a time.
    ///
    /// - Throws: `notFound`, `notPermitted`, `busy`, `notSupported` (IOMMU not coherent), ...
    package static func open(path: String) throws(VhostError) -> VhostDevice {
        switch KernelDeviceFile.open(path: path) {
        case .success(let file): return VhostDevice(file)
        case .failure(let errno): throw .open(errno, path: path)
        }
    }
}

// How a call is made: one way for all, so that every answer is looked at in the same way.
extension VhostDevice {
    /// A request without an argument.
    func call(_ operation: VhostOperation) throws(VhostError) {
        try VhostDevice.check(operation, unsafe answer(operation, nil))
    }

    /// A request whose argument is exactly `value`: read, written, or both.
    func call<Value: BitwiseCopyable>(
        _ operation: VhostOperation, _ value: inout Value
    ) throws(VhostError) {
        precondition(
            MemoryLayout<Value>.size == operation.argumentSize,
            "the argument has the size that the request number encodes")
        // Safe: the kernel touches no more than the size just compared.
        let result = unsafe withUnsafeMutableBytes(of: &value) {
            unsafe answer(operation, $0.baseAddress)
        }
        try VhostDevice.check(operation, result)
    }

    /// A request that only writes.
    func set<Value: BitwiseCopyable>(
        _ operation: VhostOperation, _ value: Value
    ) throws(VhostError) {
        var copy = value
        try call(operation, &copy)
    }

    /// A request that only answers with an integer. Zero beforehand, since a kernel that does not
    /// know the request reads a queue index there.
    func get<Value: FixedWidthInteger & BitwiseCopyable>(
        _ operation: VhostOperation, as type: Value.Type = Value.self
    ) throws(VhostError) -> Value {
        var value: Value = 0
        try call(operation, &value)
        return value
    }

    /// A request about one queue or group: `index` in, `number` in and out.
    @discardableResult
    func vringState(
        _ operation: VhostOperation, _ index: UInt32, _ number: UInt32 = 0
    ) throws(VhostError) -> UInt32 {
        var state = vhost_vring_state(index: index, num: number)
        try call(operation, &state)
        return state.num
    }

    /// The file's raw answer, after interruptions.
    func answer(_ operation: VhostOperation, _ argument: UnsafeMutableRawPointer?) -> Int32 {
        guard let request = operation.request else {
            preconditionFailure("\(operation.rawValue) is not an ioctl")
        }
        // Safe: who calls vouches for the argument.
        return Interruption.retry(-EINTR) { unsafe file.ioctl(request, argument) }
    }

    static func check(_ operation: VhostOperation, _ answer: Int32) throws(VhostError) {
        guard answer != 0 else { return }
        if let errno = Errno(answer: Int(answer)) { throw .ioctl(operation, errno) }
        throw .impossible(operation, "the call answered \(answer), not 0 and not an errno.")
    }
}

extension VhostOperation {
    /// The size of the argument's fixed part, in bytes: bits 16 to 29 of a request number
    /// (include/uapi/asm-generic/ioctl.h).
    var argumentSize: Int { Int((request ?? 0) >> 16 & 0x3fff) }
}
