internal import CVhostVDPA
package import IOVAAllocator

// The device as a whole. Source: drivers/vhost/vdpa.c, `vhost_vdpa_unlocked_ioctl`. None of these
// needs the owner.
extension VhostDevice {
    /// VHOST_VDPA_GET_DEVICE_ID (5.7): the virtio device's kind.
    package func getDeviceID() throws(VhostError) -> VirtioDeviceID {
        VirtioDeviceID(rawValue: try get(.getDeviceID))
    }

    /// VHOST_VDPA_GET_STATUS (5.7). After writing FEATURES_OK look whether it stuck: the kernel
    /// does not.
    package func getStatus() throws(VhostError) -> DeviceStatus {
        DeviceStatus(rawValue: try get(.getStatus))
    }

    /// VHOST_VDPA_SET_STATUS (5.7): writes the whole field. `.reset` resets the device; the
    /// kernel's table of mappings stays, the device's own may be gone: invalidate all, map again.
    ///
    /// - Throws: `invalidArgument` if a set bit would be cleared (a device that set NEEDS_RESET
    ///   itself included); `deviceFailed` if the reset failed.
    package func setStatus(_ status: DeviceStatus) throws(VhostError) {
        try set(.setStatus, status.rawValue)
    }

    /// VHOST_VDPA_SET_CONFIG_CALL (5.9): the eventfd that tells of a changed configuration.
    ///
    /// - Throws: `badEventDescriptor` if it is none.
    package func setConfigCall(_ binding: EventBinding) throws(VhostError) {
        try set(.setConfigCall, try descriptor(of: binding, .setConfigCall))
    }

    /// VHOST_VDPA_GET_IOVA_RANGE (5.11): the addresses that the device can use, both ends
    /// included. Windows of the platform inside it (x86: MSI) are not left out.
    ///
    /// - Throws: `notInThisKernel`; `impossibleAnswer` for a range that ends before it starts.
    package func getIOVARange() throws(VhostError) -> IOVARange {
        var range = vhost_vdpa_iova_range(first: 0, last: 0)
        try call(.getIOVARange, &range)
        guard range.first <= range.last else {
            let first = IOVA(range.first)
            throw .impossible(
                .getIOVARange, "the range would start at \(first) and end at \(IOVA(range.last)).")
        }
        return IOVARange(first: range.first, last: range.last)
    }

    /// VHOST_VDPA_GET_VQS_COUNT (5.18): how many queues the device has.
    package func getQueueCount() throws(VhostError) -> UInt32 { try get(.getQueueCount) }

    /// VHOST_VDPA_SUSPEND (6.0): the device stops at a point from which it can go on, and keeps
    /// its state. Since 6.9 it does nothing, successfully, before DRIVER_OK.
    ///
    /// - Throws: `notSupported` where the device cannot (see `BackendFeatures.suspend`).
    package func suspend() throws(VhostError) { try call(.suspend) }

    /// VHOST_VDPA_RESUME (6.3): undoes `suspend`.
    ///
    /// - Throws: `notSupported` where the device cannot (see `BackendFeatures.resume`).
    package func resume() throws(VhostError) { try call(.resume) }
}
