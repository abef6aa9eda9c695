internal import IOVAAllocator
internal import Synchronization
internal import VhostVDPA

// Virtqueue groups: what can be given an address space of its own. Source: drivers/vhost/vdpa.c.
// One ioctl(2) each. All but `groupCount` are for the process that opened the device: `notOwner`.
extension VDPADevice {
    /// How many groups the device's queues are in (VHOST_VDPA_GET_GROUP_NUM, Linux 5.19).
    public var groupCount: Int {
        get throws(DMAError) { Int(try kernel(try vhost.getGroupCount())) }
    }

    /// The group that a queue belongs to (VHOST_VDPA_GET_VRING_GROUP, Linux 5.19).
    ///
    /// - Throws: `notSupported` on devices without groups (vp_vdpa, VDUSE), where every queue is
    ///   in address space 0; `invalidArgument` if there is no such queue.
    public func group(ofQueue queue: UInt32) throws(DMAError) -> UInt32 {
        try kernel(try vhost.getVringGroup(queue: queue))
    }

    /// The group of a queue's rings, where it differs from that of its buffers
    /// (VHOST_VDPA_GET_VRING_DESC_GROUP, Linux 6.7).
    ///
    /// - Throws: `notSupported` where `backendFeatures` lacks `.descriptorASID`;
    ///   `invalidArgument` if there is no such queue.
    public func descriptorGroup(ofQueue queue: UInt32) throws(DMAError) -> UInt32 {
        try kernel(try vhost.getVringDescriptorGroup(queue: queue))
    }

    /// Gives a group an address space (VHOST_VDPA_SET_GROUP_ASID, Linux 5.19). Groups start in 0,
    /// and are there again after a reset. Assign groups before DRIVER_OK.
    ///
    /// The rings of enabled queues move along, so they are looked up in the new address space as
    /// `setRingAddresses` does.
    ///
    /// - Parameter group: which group.
    /// - Parameter addressSpace: below `addressSpaceCount`.
    /// - Parameter checked: false leaves that look out; the caller vouches for the rings.
    /// - Throws: `unsafeControl` if an enabled ring is not mapped there; `invalidArgument` if the
    ///   group or the address space does not exist; `deviceUnavailable` while the device runs
    ///   (newest kernels); `notSupported`.
    public func setGroup(
        _ group: UInt32, addressSpace: UInt32, checked: Bool = true
    ) throws(DMAError) {
        try forkMark.requireOwnProcess()
        try controlLock.withLock { _ throws(DMAError) in
            let enabled = withRecords { records in
                records.rings.filter { $0.value.isEnabled && $0.value.group == group }
            }
            var areas: [QueueArea] = []
            for (queue, ring) in enabled {
                areas += try ring.areas().map { QueueArea(queue: queue, area: $0) }
            }
            try handOver(areas, addressSpace: addressSpace, checked: checked) {
                device throws(VhostError) in
                try device.setGroupASID(group: group, asid: addressSpace)
            } record: {
                $0.move(group: group, to: addressSpace)
            }
        }
    }

    /// The group whose address space a queue's rings are in.
    func ringGroup(ofQueue queue: UInt32) throws(DMAError) -> UInt32 {
        do throws(VhostError) {
            if backendFeatures.contains(.descriptorASID) {
                do throws(VhostError) {
                    return try vhost.getVringDescriptorGroup(queue: queue)
                } catch {
                    guard error.meansNoGroups else { throw error }
                }
            }
            return try vhost.getVringGroup(queue: queue)
        } catch {
            // Without groups there is one address space.
            guard error.meansNoGroups else { throw DMAError(error) }
            return 0
        }
    }
}

extension VhostError {
    fileprivate var meansNoGroups: Bool { code == .notSupported || code == .notInThisKernel }
}
