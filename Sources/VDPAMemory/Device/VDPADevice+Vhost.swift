public import VhostVDPA

// What the vhost interface has and vhost-vdpa makes nothing of. Here so that code written for other
// vhost devices meets a clear answer. Source: drivers/vhost/vhost.c, `vhost_dev_ioctl`.

extension VDPADevice {
    /// VHOST_RESET_OWNER: vhost-vdpa cannot give up its owner. Let go of the device instead.
    ///
    /// - Throws: always `notSupported`.
    public func resetOwner() throws(DMAError) { try kernel(try vhost.resetOwner()) }

    /// VHOST_SET_LOG_BASE: vhost-vdpa has no log of dirty pages.
    ///
    /// - Throws: always `notSupported`.
    public func setLogBase(_ address: UInt64) throws(DMAError) {
        try kernel(try vhost.setLogBase(address))
    }

    /// VHOST_SET_LOG_FD: vhost-vdpa has no log of dirty pages.
    ///
    /// - Throws: always `notSupported`.
    public func setLogDescriptor(_ event: EventBinding) throws(DMAError) {
        try kernel(try vhost.setLogFD(event))
    }

    /// VHOST_SET_MEM_TABLE: the memory table of other vhost devices. vhost-vdpa takes it, checks
    /// little and **maps nothing**: register memory with a domain.
    ///
    /// - Throws: `invalidArgument` above the vhost module's max_mem_regions (64); `notOwner`.
    public func setMemoryTable(_ regions: [MemoryTableRegion]) throws(DMAError) {
        try kernel(try vhost.setMemTable(regions))
    }
}
