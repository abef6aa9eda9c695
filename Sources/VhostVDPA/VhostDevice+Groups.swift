// Virtqueue groups and address spaces. A group is what can be given an address space of its own.
// Source: drivers/vhost/vdpa.c.
extension VhostDevice {
    /// VHOST_VDPA_GET_GROUP_NUM (5.19): how many groups the device has.
    package func getGroupCount() throws(VhostError) -> UInt32 { try get(.getGroupCount) }

    /// VHOST_VDPA_GET_AS_NUM (5.19): how many address spaces the device has.
    package func getAddressSpaceCount() throws(VhostError) -> UInt32 {
        try get(.getAddressSpaceCount)
    }

    /// VHOST_VDPA_GET_VRING_GROUP (5.19, owner): the group a queue belongs to.
    ///
    /// - Throws: `noSuchQueue`; `notSupported` where the driver has no groups; `deviceFailed` if
    ///   it named one that does not exist.
    package func getVringGroup(queue: UInt32) throws(VhostError) -> UInt32 {
        try vringState(.getVringGroup, queue)
    }

    /// VHOST_VDPA_GET_VRING_DESC_GROUP (6.7, owner): the group of a queue's descriptor table.
    ///
    /// - Throws: as `getVringGroup`.
    package func getVringDescriptorGroup(queue: UInt32) throws(VhostError) -> UInt32 {
        try vringState(.getVringDescriptorGroup, queue)
    }

    /// VHOST_VDPA_SET_GROUP_ASID (5.19, owner): the group's queues use that address space.
    ///
    /// - Throws: `noSuchQueue` if the group is not below the number of queues (as the kernel
    ///   checks it); `invalidArgument` if group or address space does not exist; `busy` while the
    ///   device runs (newest kernels); `notSupported`.
    package func setGroupASID(group: UInt32, asid: UInt32) throws(VhostError) {
        try vringState(.setGroupASID, group, asid)
    }
}
