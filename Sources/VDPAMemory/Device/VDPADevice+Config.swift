public import VhostVDPA

// The device's configuration space. Source: drivers/vhost/vdpa.c, `vhost_vdpa_config_validate`. One
// ioctl(2) each, and one for the size where bounds are checked; none needs the owner.
extension VDPADevice {
    /// The configuration space's size in bytes (VHOST_VDPA_GET_CONFIG_SIZE, Linux 5.18). It may be
    /// larger than the structure of the device's kind: a PCI device answers its capability's.
    public var configSize: Int {
        get throws(DMAError) { Int(try kernel(try vhost.getConfigSize())) }
    }

    /// Reads `byteCount` bytes of the configuration space from `offset` on
    /// (VHOST_VDPA_GET_CONFIG). Fields are little-endian.
    ///
    /// - Throws: `invalidArgument` unless 1 byte or more is asked for and all of them lie in the
    ///   configuration space.
    public func config(offset: Int = 0, byteCount: Int) throws(DMAError) -> [UInt8] {
        let size = UInt32(clamping: try configSize)
        let start = try configOffset(offset)
        return try kernel(
            try vhost.getConfig(offset: start, byteCount: byteCount, configSize: size))
    }

    /// Writes `bytes` into the configuration space from `offset` on (VHOST_VDPA_SET_CONFIG). Many
    /// devices ignore it in silence.
    ///
    /// - Throws: `invalidArgument` as for `config(offset:byteCount:)`.
    public func setConfig(offset: Int = 0, _ bytes: [UInt8]) throws(DMAError) {
        let size = UInt32(clamping: try configSize)
        let start = try configOffset(offset)
        // Safe: the call only reads the bytes, which live until the closure returns.
        try unsafe bytes.span.bytes.withUnsafeBytes { buffer throws(DMAError) in
            try kernel(try unsafe vhost.setConfig(offset: start, buffer, configSize: size))
        }
    }

    /// The eventfd by which the device tells that its configuration changed, or `.unbound`
    /// (VHOST_VDPA_SET_CONFIG_CALL). The kernel takes a reference of its own.
    ///
    /// - Throws: `invalidArgument` if the descriptor is no eventfd.
    public func setConfigCall(_ event: EventBinding) throws(DMAError) {
        try kernel(try vhost.setConfigCall(event))
    }

    private func configOffset(_ offset: Int) throws(DMAError) -> UInt32 {
        if let result = UInt32(exactly: offset) { return result }
        throw DMAError(
            .invalidArgument, "Offset \(offset) cannot be one of a configuration space.",
            remedy: "Stay between 0 and `configSize`.")
    }
}
