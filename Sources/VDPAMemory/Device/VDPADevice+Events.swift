public import VhostVDPA

// A queue's eventfds. The kernel takes a reference of its own, so the caller may close its
// descriptor; `.unbound` undoes a binding. Source: drivers/vhost/vhost.c, `vhost_vring_ioctl`. One
// ioctl(2) each, for the process that opened the device (`notOwner` elsewhere).
//
// Each throws `invalidArgument` if the descriptor is no eventfd or the queue does not exist.

extension VDPADevice {
    /// The eventfd by which the driver wakes the device (VHOST_SET_VRING_KICK).
    public func setKick(_ event: EventBinding, ofQueue queue: UInt32) throws(DMAError) {
        try kernel(try vhost.setVringKick(queue: queue, event))
    }

    /// The eventfd by which the device wakes the driver (VHOST_SET_VRING_CALL).
    public func setCall(_ event: EventBinding, ofQueue queue: UInt32) throws(DMAError) {
        try kernel(try vhost.setVringCall(queue: queue, event))
    }

    /// The eventfd for errors (VHOST_SET_VRING_ERR). vhost-vdpa keeps it and never signals it.
    public func setErr(_ event: EventBinding, ofQueue queue: UInt32) throws(DMAError) {
        try kernel(try vhost.setVringErr(queue: queue, event))
    }
}
