internal import Synchronization
public import VhostVDPA

// The device as a whole. Source: drivers/vhost/vdpa.c, `vhost_vdpa_unlocked_ioctl`. One ioctl(2)
// each. None of these but a reset needs the owner: they work in a forked child too. The kernel
// would let a child reset the device, but the parent would not know that its mappings are lost.
//
// What every control operation can throw: `deviceGone` (the device or the process behind it
// failed), `notSupported` (the device or the running kernel does not have the operation),
// `kernelRefused`. Each lists what it throws besides.

extension VDPADevice {
    /// The device's kind (VHOST_VDPA_GET_DEVICE_ID).
    public var deviceID: VirtioDeviceID {
        get throws(DMAError) { try kernel(try vhost.getDeviceID()) }
    }

    /// The device status field (VHOST_VDPA_GET_STATUS).
    ///
    /// Read it again after writing FEATURES_OK, to see whether the device kept it, and after
    /// enabling queues: a device that cannot reach a ring may set NEEDS_RESET.
    public var status: DeviceStatus {
        get throws(DMAError) { try kernel(try vhost.getStatus()) }
    }

    /// Writes the whole status field (VHOST_VDPA_SET_STATUS). `.reset` is `reset()`, and **loses
    /// the device's mappings** as that does.
    ///
    /// - Throws: `invalidArgument` if a bit that is set would be cleared; a device may have set
    ///   NEEDS_RESET itself, so add to what `status` answers.
    public func setStatus(_ status: DeviceStatus) throws(DMAError) {
        guard status != .reset else { return try reset() }
        try kernel(try vhost.setStatus(status))
    }

    /// Resets the device (VHOST_VDPA_SET_STATUS with 0): queues stop, features, sizes, ring
    /// addresses and the address spaces of groups are as after opening.
    ///
    /// **Loses mappings**: unless IOTLB_PERSIST was negotiated (`backendFeatures`, Linux 6.7), the
    /// device's own table may be empty afterwards while the kernel's keeps every entry, so that
    /// regions are still held and still count, and the device reaches none of them. Call `remap()`
    /// on its domains before the device runs again.
    ///
    /// Waits for a batch of messages to end, since a batch outlives a reset in the kernel.
    ///
    /// - Throws: `notOwner` in a forked child; `deviceGone` if the reset failed (a VDUSE daemon
    ///   that does not answer); then assume that the device still uses its rings, and that its
    ///   mappings are lost.
    public func reset() throws(DMAError) {
        try forkMark.requireOwnProcess()
        try controlLock.withLock { _ throws(DMAError) in
            try batchLock.withLock { _ throws(DMAError) in
                defer { countReset() }
                try kernel(try vhost.setStatus(.reset))
                editRecords { $0.clear() }
            }
        }
    }

    /// Stops the device at a point from which it can go on (VHOST_VDPA_SUSPEND, Linux 6.0).
    /// Mappings stay, and so does every region: enabled rings count as in use. Before DRIVER_OK it
    /// does nothing since Linux 6.9, successfully.
    ///
    /// - Throws: `notSupported` where `backendFeatures` lacks `.suspend`.
    public func suspend() throws(DMAError) { try kernel(try vhost.suspend()) }

    /// Lets a suspended device go on (VHOST_VDPA_RESUME, Linux 6.3). Mappings are as they were.
    ///
    /// - Throws: `notSupported` where `backendFeatures` lacks `.resume`.
    public func resume() throws(DMAError) { try kernel(try vhost.resume()) }
}
