internal import CVhostVDPA

// Ownership and negotiation. Source: drivers/vhost/vhost.c, `vhost_dev_ioctl`; vdpa.c.
extension VhostDevice {
    /// VHOST_SET_OWNER (5.7): this process's memory is what addresses mean from now on, and its
    /// RLIMIT_MEMLOCK what pages count against.
    ///
    /// - Throws: `busy` if there is an owner, this process included.
    package func setOwner() throws(VhostError) { try call(.setOwner) }

    /// VHOST_RESET_OWNER: vhost-vdpa does not implement it.
    ///
    /// - Throws: always `refusedByDesign`.
    package func resetOwner() throws(VhostError) { try call(.resetOwner) }

    /// VHOST_GET_FEATURES (5.7): the virtio features that the device offers.
    package func getFeatures() throws(VhostError) -> VirtioFeatures {
        VirtioFeatures(rawValue: try get(.getFeatures))
    }

    /// VHOST_SET_FEATURES (5.7): the virtio features that the driver accepts.
    ///
    /// - Throws: `busy` after FEATURES_OK; `invalidArgument` if the device does not accept the
    ///   set (vdpa_sim and some VDUSE versions want ACCESS_PLATFORM).
    package func setFeatures(_ features: VirtioFeatures) throws(VhostError) {
        try set(.setFeatures, features.rawValue)
    }

    /// VHOST_GET_BACKEND_FEATURES (5.9): what vhost-vdpa offers for this device.
    package func getBackendFeatures() throws(VhostError) -> BackendFeatures {
        BackendFeatures(rawValue: try get(.getBackendFeatures))
    }

    /// VHOST_SET_BACKEND_FEATURES (5.9): acknowledges, replacing the earlier set. At any time, and
    /// without the device's mutex: do not run it beside IOTLB messages.
    ///
    /// - Throws: `notSupported` for a bit that is not offered; `invalidArgument` for DESC_ASID
    ///   without IOTLB_ASID.
    package func setBackendFeatures(_ features: BackendFeatures) throws(VhostError) {
        try set(.setBackendFeatures, features.rawValue)
    }

    /// VHOST_SET_MEM_TABLE (5.7, owner): the memory table of other vhost devices. vhost-vdpa
    /// takes it and ignores it for DMA; mapping is done by messages.
    ///
    /// - Throws: `tooManyRegions` above the vhost module's max_mem_regions (64).
    package func setMemTable(_ regions: [MemoryTableRegion]) throws(VhostError) {
        let headerSize = MemoryLayout<vhost_memory>.size
        let stride = MemoryLayout<vhost_memory_region>.stride
        guard let count = UInt32(exactly: regions.count) else {
            throw VhostError(
                .tooManyRegions, .setMemTable,
                explanation: "\(regions.count) regions are more than the count field can say.",
                remedy: "Join neighbours.")
        }
        // Safe: the buffer holds the header and `count` regions, and every byte is written.
        let result = unsafe withUnsafeTemporaryAllocation(
            byteCount: headerSize + regions.count * stride,
            alignment: MemoryLayout<vhost_memory_region>.alignment
        ) { table in
            // The second word is padding, which must be 0.
            unsafe table.storeBytes(of: count, toByteOffset: 0, as: UInt32.self)
            unsafe table.storeBytes(of: 0, toByteOffset: 4, as: UInt32.self)
            for (index, region) in regions.enumerated() {
                let entry = vhost_memory_region(
                    guest_phys_addr: region.guestAddress, memory_size: region.byteCount,
                    userspace_addr: UInt64(region.userAddress), flags_padding: 0)
                let offset = headerSize + index * stride
                unsafe table.storeBytes(
                    of: entry, toByteOffset: offset, as: vhost_memory_region.self)
            }
            return unsafe answer(.setMemTable, table.baseAddress)
        }
        try VhostDevice.check(.setMemTable, result)
    }

    /// VHOST_SET_LOG_BASE: vhost-vdpa has no dirty log.
    ///
    /// - Throws: always `refusedByDesign`.
    package func setLogBase(_ address: UInt64) throws(VhostError) {
        try set(.setLogBase, address)
    }

    /// VHOST_SET_LOG_FD: vhost-vdpa has no dirty log.
    ///
    /// - Throws: always `refusedByDesign`.
    package func setLogFD(_ binding: EventBinding) throws(VhostError) {
        try set(.setLogFD, try descriptor(of: binding, .setLogFD))
    }

    /// The number the kernel gets for a binding.
    func descriptor(
        of binding: EventBinding, _ operation: VhostOperation
    ) throws(VhostError) -> Int32 {
        if let number = binding.descriptor { return number }
        throw VhostError(
            .badEventDescriptor, operation,
            explanation: "\(binding) is not a descriptor, and the kernel takes -1 for unbinding.",
            remedy: "Pass an open eventfd, or say .unbound.")
    }
}
