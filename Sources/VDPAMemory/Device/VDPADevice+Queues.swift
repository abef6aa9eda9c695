internal import Synchronization
public import VhostVDPA

// Queues. Source: drivers/vhost/vdpa.c, `vhost_vdpa_vring_ioctl`; vhost.c, `vhost_vring_ioctl`. One
// ioctl(2) each if not said otherwise. All but the first two are for the process that opened the
// device (`notOwner` elsewhere), and answer `invalidArgument` for a queue that does not exist.

extension VDPADevice {
    /// How many queues the device has (VHOST_VDPA_GET_VQS_COUNT, Linux 5.18).
    public var queueCount: Int {
        get throws(DMAError) { Int(try kernel(try vhost.getQueueCount())) }
    }

    /// The largest size that a queue can have, in entries (VHOST_VDPA_GET_VRING_NUM).
    public var maximumQueueSize: Int {
        get throws(DMAError) { Int(try kernel(try vhost.getVringNum())) }
    }

    /// The largest size of one queue, in entries (VHOST_VDPA_GET_VRING_SIZE, Linux 6.9).
    ///
    /// - Throws: `notSupported` where the device has no figure for each queue.
    public func maximumSize(ofQueue queue: UInt32) throws(DMAError) -> Int {
        Int(try kernel(try vhost.getVringSize(queue: queue)))
    }

    /// A queue's size in entries, a power of two up to `maximumQueueSize` (VHOST_SET_VRING_NUM,
    /// and VHOST_VDPA_GET_VRING_NUM for the maximum, which the kernel does not enforce). Set it
    /// before the ring's addresses: they are checked for this size.
    ///
    /// - Parameter size: in entries, a power of two.
    /// - Parameter queue: below `queueCount`.
    /// - Parameter checked: as for `setRingAddresses`; it matters for an enabled queue only.
    /// - Throws: `invalidArgument`; `unsafeControl` if an enabled queue would outgrow its regions.
    public func setQueueSize(
        _ size: Int, ofQueue queue: UInt32, checked: Bool = true
    ) throws(DMAError) {
        let maximum = try kernel(try vhost.getVringNum())
        let entries = UInt32(clamping: size)
        try change(queue, checked: checked, needsAddresses: false) { ring throws(DMAError) in
            ring.size = entries
        } call: { device throws(VhostError) in
            try device.setVringNum(queue: queue, size: entries, maximum: maximum)
        }
    }

    /// Where a queue's areas are, as IOVAs (VHOST_SET_VRING_ADDR; VHOST_VDPA_GET_VRING_GROUP tells
    /// the address space).
    ///
    /// The kernel takes any address. So each area is looked up in the domain that has the address
    /// space of the queue's group, for the size that `setQueueSize` gave (else the device's
    /// maximum): split, `16 * size` bytes of descriptors and `6 + 2 * size` of available ring for
    /// the device to read, `6 + 8 * size` of used ring for it to write; packed, `16 * size` to
    /// read and write and two event areas of 4 bytes. `setQueueEnabled` looks again.
    ///
    /// - Parameters:
    ///   - addresses: where the three areas lie, as the device addresses them.
    ///   - queue: below `queueCount`.
    ///   - layout: nil for `ringLayout`. Say it for an adopted device, whose features were set
    ///     before this library saw it.
    ///   - checked: false leaves the look-up out, for rings in memory that no domain of this
    ///     library maps; the caller vouches for them.
    /// - Throws: `unsafeControl` naming the area that is not mapped as needed; `invalidArgument`
    ///   for areas that are not aligned (descriptors 16, used 4, available 2 bytes; packed event
    ///   areas as used and available), or if the device runs and is not suspended (Linux 6.9).
    public func setRingAddresses(
        _ addresses: VringAddresses, ofQueue queue: UInt32, layout: VringLayout? = nil,
        checked: Bool = true
    ) throws(DMAError) {
        let maximum = UInt32(try kernel(try vhost.getVringNum()))
        let group = try ringGroup(ofQueue: queue)
        let layout = layout ?? ringLayout
        try change(queue, checked: checked, needsAddresses: false) { ring throws(DMAError) in
            ring.size = ring.size ?? maximum
            ring.addresses = addresses
            ring.layout = layout
            ring.group = group
        } call: { device throws(VhostError) in
            try device.setVringAddr(queue: queue, addresses)
        }
    }

    /// Where a queue stands (VHOST_GET_VRING_BASE). Of a running device it is out of date at once:
    /// suspend or reset first.
    ///
    /// - Parameter queue: below `queueCount`.
    /// - Parameter layout: nil for `ringLayout`; the kernel's answer has no mark of its own.
    /// - Throws: `notSupported` on vp_vdpa.
    public func ringBase(
        ofQueue queue: UInt32, layout: VringLayout? = nil
    ) throws(DMAError) -> VringBase {
        let layout = layout ?? ringLayout
        return try kernel(try vhost.getVringBase(queue: queue, layout: layout))
    }

    /// Where a queue starts (VHOST_SET_VRING_BASE), after FEATURES_OK and before DRIVER_OK.
    ///
    /// - Throws: `invalidArgument` where base and layout differ, and (Linux 6.9) if the device
    ///   runs and is not suspended; `notSupported` on vp_vdpa for anything but the start.
    public func setRingBase(_ base: VringBase, ofQueue queue: UInt32) throws(DMAError) {
        try kernel(try vhost.setVringBase(queue: queue, base))
    }

    /// Lets the device use a queue, or stops it (VHOST_VDPA_SET_VRING_ENABLE).
    ///
    /// Enabling looks at the ring's addresses as `setRingAddresses` does, since regions may have
    /// been freed meanwhile. From then on, until the queue is disabled or the device reset, a
    /// region that holds the ring counts as in use. The kernel always says yes: look at `status`
    /// for a device that gave up, and do not take a disabled queue for one that has stopped at
    /// once: suspend or reset the device before the ring's memory goes.
    ///
    /// - Parameter isEnabled: whether the device may use it.
    /// - Parameter queue: below `queueCount`.
    /// - Parameter checked: false leaves the look-up out; the caller vouches for the ring.
    /// - Throws: `unsafeControl` if the ring has no addresses or is not mapped.
    public func setQueueEnabled(
        _ isEnabled: Bool, ofQueue queue: UInt32, checked: Bool = true
    ) throws(DMAError) {
        let needsLook = checked && isEnabled
        try change(queue, checked: needsLook, needsAddresses: needsLook) { ring throws(DMAError) in
            ring.isEnabled = isEnabled
        } call: { device throws(VhostError) in
            try device.setVringEnable(queue: queue, isEnabled)
        }
    }

    /// One step of a queue: the record as it would be, the look, the call, the record as it is.
    private func change(
        _ queue: UInt32, checked: Bool, needsAddresses: Bool,
        _ edit: (inout RingRecord) throws(DMAError) -> Void,
        call: (borrowing VhostDevice) throws(VhostError) -> Void
    ) throws(DMAError) {
        try forkMark.requireOwnProcess()
        try controlLock.withLock { _ throws(DMAError) in
            let (old, space) = withRecords { records in
                (records[queue], records)
            }
            var ring = old
            try edit(&ring)
            guard !needsAddresses || ring.addresses != nil else {
                throw DMAError(
                    .unsafeControl, "Queue \(queue) has no ring addresses.",
                    remedy: "Call `setRingAddresses` first, or pass `checked: false`.")
            }
            let areas = try ring.areas().map { QueueArea(queue: queue, area: $0) }
            try handOver(
                areas, addressSpace: space.addressSpace(ofGroup: ring.group), checked: checked,
                call
            ) { $0[queue] = ring }
        }
    }
}
