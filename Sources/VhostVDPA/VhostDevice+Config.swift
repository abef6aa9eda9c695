internal import CVhostVDPA

// The virtio configuration space. Source: drivers/vhost/vdpa.c, `vhost_vdpa_config_validate`. None
// of these needs the owner.
extension VhostDevice {
    /// VHOST_VDPA_GET_CONFIG_SIZE (5.18): the configuration space's size in bytes.
    package func getConfigSize() throws(VhostError) -> UInt32 { try get(.getConfigSize) }

    /// VHOST_VDPA_GET_CONFIG (5.7): reads `buffer.count` bytes from `offset` on into `buffer`,
    /// which is unchanged if it fails.
    ///
    /// - Parameter configSize: what `getConfigSize` answered, if known: then the bounds are
    ///   checked before the call. The kernel checks them again.
    /// - Throws: `outOfBounds`.
    package func getConfig(
        offset: UInt32, into buffer: UnsafeMutableRawBufferPointer, configSize: UInt32? = nil
    ) throws(VhostError) {
        let length = try checkedLength(.getConfig, offset, buffer.count, configSize)
        try unsafe withConfig(.getConfig, offset, length) { body in
            unsafe body.initializeMemory(as: UInt8.self, repeating: 0)
        } after: { body in
            unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(body))
        }
    }

    /// VHOST_VDPA_SET_CONFIG (5.7): writes `bytes` from `offset` on.
    ///
    /// - Parameter configSize: as for `getConfig`.
    /// - Throws: `outOfBounds`.
    package func setConfig(
        offset: UInt32, _ bytes: UnsafeRawBufferPointer, configSize: UInt32? = nil
    ) throws(VhostError) {
        let length = try checkedLength(.setConfig, offset, bytes.count, configSize)
        try unsafe withConfig(.setConfig, offset, length) { body in
            unsafe body.copyMemory(from: bytes)
        } after: { _ in
        }
    }

    /// `getConfig` into an array.
    package func getConfig(
        offset: UInt32, byteCount: Int, configSize: UInt32? = nil
    ) throws(VhostError) -> [UInt8] {
        // Before the allocation, which a size that cannot be would bring down.
        _ = try checkedLength(.getConfig, offset, byteCount, configSize)
        var bytes = [UInt8](repeating: 0, count: byteCount)
        var failure: VhostError?
        // Safe: the array's storage lives until the closure returns.
        unsafe bytes.withUnsafeMutableBytes { buffer in
            do throws(VhostError) {
                try unsafe getConfig(offset: offset, into: buffer, configSize: configSize)
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// The request's structure: offset, length and that many bytes, contiguous.
    private func withConfig(
        _ operation: VhostOperation, _ offset: UInt32, _ length: UInt32,
        _ fill: (UnsafeMutableRawBufferPointer) -> Void,
        after: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(VhostError) {
        let headerSize = MemoryLayout<vhost_vdpa_config>.size
        // Safe: the buffer holds the header and `length` bytes, all written before the call.
        let result = unsafe withUnsafeTemporaryAllocation(
            byteCount: headerSize + Int(length), alignment: MemoryLayout<UInt32>.alignment
        ) { whole in
            unsafe whole.storeBytes(of: offset, toByteOffset: 0, as: UInt32.self)
            unsafe whole.storeBytes(of: length, toByteOffset: 4, as: UInt32.self)
            let body = unsafe UnsafeMutableRawBufferPointer(rebasing: whole[headerSize...])
            unsafe fill(body)
            let result = unsafe answer(operation, whole.baseAddress)
            if result == 0 { unsafe after(body) }
            return result
        }
        try VhostDevice.check(operation, result)
    }

    private func checkedLength(
        _ operation: VhostOperation, _ offset: UInt32, _ byteCount: Int, _ configSize: UInt32?
    ) throws(VhostError) -> UInt32 {
        let problem: String
        if byteCount <= 0 {
            problem = "a length of \(byteCount) bytes."
        } else if let configSize, offset > configSize {
            problem = "offset \(offset) lies past the configuration space of \(configSize) bytes."
        } else if let configSize, byteCount > Int(configSize) - Int(offset) {
            problem =
                "\(byteCount) bytes from offset \(offset) end past the configuration space of "
                + "\(configSize) bytes."
        } else if let length = UInt32(exactly: byteCount) {
            return length
        } else {
            problem = "\(byteCount) bytes are more than the length field can say."
        }
        throw VhostError(
            .outOfBounds, operation, explanation: problem,
            remedy: "Ask for the size (GET_CONFIG_SIZE) and stay inside.")
    }
}
