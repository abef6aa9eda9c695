internal import CVhostVDPA
internal import IOVAAllocator

// Queues. Source: drivers/vhost/vdpa.c, `vhost_vdpa_vring_ioctl`; vhost.c, `vhost_vring_ioctl`.
// All but getVringNum are for the owner, and a queue that does not exist is `noSuchQueue`.
extension VhostDevice {
    /// VHOST_VDPA_GET_VRING_NUM (5.7): the largest size a queue can have, in entries.
    package func getVringNum() throws(VhostError) -> UInt16 { try get(.getVringNum) }

    /// VHOST_VDPA_GET_VRING_SIZE (6.9, owner): the largest size of one queue, in entries.
    ///
    /// - Throws: `notSupported` where the device's driver has no figure per queue.
    package func getVringSize(queue: UInt32) throws(VhostError) -> UInt32 {
        try vringState(.getVringSize, queue)
    }

    /// VHOST_SET_VRING_NUM (5.7, owner): a queue's size in entries, a power of two.
    ///
    /// - Parameter maximum: what `getVringNum` answered, if known. The kernel does not check it:
    ///   it takes a power of two that the device cannot handle.
    /// - Throws: `outOfBounds` above `maximum`, before the call; `invalidArgument`.
    package func setVringNum(
        queue: UInt32, size: UInt32, maximum: UInt16? = nil
    ) throws(VhostError) {
        if let maximum, size > maximum {
            throw VhostError(
                .outOfBounds, .setVringNum,
                explanation: "a queue of \(size) entries, where the device has at most "
                    + "\(maximum); the kernel would take it in silence.",
                remedy: "Choose a power of two up to \(maximum).")
        }
        try vringState(.setVringNum, queue, size)
    }

    /// VHOST_SET_VRING_ADDR (5.7, owner): where the queue's areas are, as IOVAs. The kernel does
    /// not look whether they are mapped.
    ///
    /// - Throws: `invalidArgument` before the call for a descriptor area
    ///   that is not 16-byte aligned, which the kernel accepts, and from the kernel for the other
    ///   areas, or (6.9) while the device runs and is not suspended.
    package func setVringAddr(
        queue: UInt32, _ addresses: VringAddresses
    ) throws(VhostError) {
        guard addresses.descriptors.isAligned(to: 16) else {
            throw VhostError(
                .invalidArgument, .setVringAddr,
                explanation: "the descriptor area at \(addresses.descriptors) is not 16-byte "
                    + "aligned; the kernel would take it in silence.",
                remedy: "Align it (virtio specification 1.2, sections 2.7 and 2.8).")
        }
        let isLogged: UInt32 = addresses.log == nil ? 0 : 1 << UInt32(VHOST_VRING_F_LOG)
        try set(
            .setVringAddr,
            vhost_vring_addr(
                index: queue, flags: isLogged, desc_user_addr: addresses.descriptors.rawValue,
                used_user_addr: addresses.used.rawValue,
                avail_user_addr: addresses.available.rawValue,
                log_guest_addr: addresses.log?.rawValue ?? 0))
    }

    /// VHOST_SET_VRING_BASE (5.7, owner): where the queue starts.
    ///
    /// - Throws: `invalidArgument`: state and layout differ, or (6.9) the device runs and is not
    ///   suspended; then the kernel's copy of the index has changed all the same.
    package func setVringBase(queue: UInt32, _ base: VringBase) throws(VhostError) {
        try vringState(.setVringBase, queue, base.rawValue)
    }

    /// VHOST_GET_VRING_BASE (5.7, owner): where the queue stands.
    ///
    /// - Parameter layout: the negotiated one; the answer has no mark of its own.
    /// - Throws: `notSupported` (vp_vdpa); `impossibleAnswer` for an index above 16 bits.
    package func getVringBase(
        queue: UInt32, layout: VringLayout
    ) throws(VhostError) -> VringBase {
        let number = try vringState(.getVringBase, queue)
        guard let base = VringBase(rawValue: number, layout: layout) else {
            throw .impossible(.getVringBase, "\(number) is not the index of a split ring.")
        }
        return base
    }

    /// VHOST_SET_VRING_KICK (5.7, owner): the eventfd by which the driver wakes the device.
    ///
    /// - Throws: `badEventDescriptor` if it is none.
    package func setVringKick(queue: UInt32, _ binding: EventBinding) throws(VhostError) {
        try setEvent(.setVringKick, queue, binding)
    }

    /// VHOST_SET_VRING_CALL (5.7, owner): the eventfd by which the device wakes the driver.
    ///
    /// - Throws: `badEventDescriptor` if it is none.
    package func setVringCall(queue: UInt32, _ binding: EventBinding) throws(VhostError) {
        try setEvent(.setVringCall, queue, binding)
    }

    /// VHOST_SET_VRING_ERR (5.7, owner): the eventfd for errors. vhost-vdpa keeps it and never
    /// signals it.
    ///
    /// - Throws: `badEventDescriptor` if it is none.
    package func setVringErr(queue: UInt32, _ binding: EventBinding) throws(VhostError) {
        try setEvent(.setVringErr, queue, binding)
    }

    /// VHOST_VDPA_SET_VRING_ENABLE (5.7, owner): lets the device use the queue, or stops it. The
    /// kernel always answers 0; look at the status for a device that gave up.
    package func setVringEnable(queue: UInt32, _ isEnabled: Bool) throws(VhostError) {
        try vringState(.setVringEnable, queue, isEnabled ? 1 : 0)
    }

    private func setEvent(
        _ operation: VhostOperation, _ queue: UInt32, _ binding: EventBinding
    ) throws(VhostError) {
        let number = try descriptor(of: binding, operation)
        try set(operation, vhost_vring_file(index: queue, fd: number))
    }
}
