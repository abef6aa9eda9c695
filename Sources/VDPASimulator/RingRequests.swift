internal import CVhostVDPA
internal import IOVAAllocator
internal import VhostVDPA

// The owner's ioctls: vhost_dev_ioctl, then vhost_vdpa_vring_ioctl, in that order of checks.

extension DeviceState {
    mutating func ownedIOCTL(_ request: UInt32, _ argument: UInt, process: Int) -> Int32 {
        if request == CVHOST_SET_OWNER {
            guard owner == nil else { return -EBUSY }
            owner = process
            return 0
        }
        guard owner == process else { return -EPERM }
        if request == CVHOST_SET_MEM_TABLE { return setMemoryTable(argument) }
        // Every other request is taken for a ring's: the index is read before the request is known.
        guard let head = ProcessMemory.read(argument, count: 4) else { return -EFAULT }
        let index: UInt32 = head.integer(at: 0)
        guard index < configuration.queueCount else { return -ENOBUFS }
        return ringIOCTL(request, Int(index), argument)
    }

    private mutating func ringIOCTL(_ request: UInt32, _ ring: Int, _ argument: UInt) -> Int32 {
        switch request {
        case CVHOST_SET_VRING_NUM: return setSize(ring, argument)
        case CVHOST_SET_VRING_ADDR: return setAddresses(ring, argument)
        case CVHOST_SET_VRING_BASE: return setBase(ring, argument)
        case CVHOST_GET_VRING_BASE: return getBase(ring, argument)
        case CVHOST_SET_VRING_KICK, CVHOST_SET_VRING_CALL, CVHOST_SET_VRING_ERR:
            return setEvent(request, ring, argument)
        case CVHOST_VDPA_SET_VRING_ENABLE: return setEnabled(ring, argument)
        case CVHOST_VDPA_GET_VRING_GROUP: return getGroup(ring, argument)
        case CVHOST_VDPA_SET_GROUP_ASID: return setAddressSpace(ofGroup: ring, argument)
        case CVHOST_VDPA_GET_VRING_DESC_GROUP where kernel.hasDescriptorGroups: return -EOPNOTSUPP
        case CVHOST_VDPA_GET_VRING_SIZE where kernel.hasVringSize:
            return put(UInt32(configuration.maximumQueueSize), at: argument + 4)
        case CVHOST_SET_VRING_BUSYLOOP_TIMEOUT:
            guard let number = number(argument) else { return -EFAULT }
            rings[ring].busyLoopTimeout = number
            return 0
        case CVHOST_GET_VRING_BUSYLOOP_TIMEOUT:
            return put(rings[ring].busyLoopTimeout, at: argument + 4)
        default: return -ENOTTY
        }
    }

    /// vhost_vring_state.num, the field after the index.
    private func number(_ argument: UInt) -> UInt32? {
        ProcessMemory.read(argument, count: 8)?.integer(at: 4)
    }

    /// Builds vhost's own table, which no vDPA device looks at.
    private mutating func setMemoryTable(_ argument: UInt) -> Int32 {
        guard let header = ProcessMemory.read(argument, count: 8) else { return -EFAULT }
        let count: UInt32 = header.integer(at: 0)
        let padding: UInt32 = header.integer(at: 4)
        guard padding == 0 else { return -EOPNOTSUPP }
        guard count <= 64 else { return -E2BIG }
        guard let regions = ProcessMemory.read(argument + 8, count: Int(count) * 32) else {
            return -EFAULT
        }
        for region in 0..<Int(count) {
            let first: UInt64 = regions.integer(at: region * 32)
            let size: UInt64 = regions.integer(at: region * 32 + 8)
            guard first <= first &+ size &- 1 else { return -EFAULT }
        }
        memoryTable = regions
        return 0
    }

    // MARK: size, addresses, index

    /// A power of two above the device's maximum is not refused.
    private mutating func setSize(_ ring: Int, _ argument: UInt) -> Int32 {
        guard let size = number(argument) else { return -EFAULT }
        guard size > 0, size <= 0xffff, size & (size - 1) == 0 else { return -EINVAL }
        rings[ring].size = size
        return 0
    }

    /// The addresses are IOVAs, and compared with no mapping.
    private mutating func setAddresses(_ ring: Int, _ argument: UInt) -> Int32 {
        guard let bytes = ProcessMemory.read(argument, count: 40) else { return -EFAULT }
        let flags: UInt32 = bytes.integer(at: 4)
        let used: UInt64 = bytes.integer(at: 16)
        let available: UInt64 = bytes.integer(at: 24)
        let log: UInt64 = bytes.integer(at: 32)
        guard flags & ~1 == 0 else { return -EOPNOTSUPP }
        guard available % 2 == 0, used % 4 == 0, log % 4 == 0 else { return -EINVAL }
        guard !isLockedByRunning else { return -EINVAL }
        rings[ring].descriptors = bytes.integer(at: 8)
        rings[ring].deviceArea = used
        rings[ring].driverArea = available
        return 0
    }

    private var isLockedByRunning: Bool {
        kernel.locksRunningRings && isRunning && !isSuspended
    }

    private var isPacked: Bool { ackedFeatures & Feature.packedRing != 0 }

    private mutating func setBase(_ ring: Int, _ argument: UInt) -> Int32 {
        guard let base = number(argument) else { return -EFAULT }
        guard isPacked || base <= 0xffff else { return -EINVAL }
        guard !isLockedByRunning else { return -EINVAL }
        switch configuration.driver {
        case .vdpaSim:
            rings[ring].availableIndex = UInt16(truncatingIfNeeded: base)
            rings[ring].usedIndex = UInt16(truncatingIfNeeded: isPacked ? base >> 16 : base)
        case .virtioPCI:
            // Virtio has no such operation: only what is the initial state already is let through.
            let initial: UInt32 = isPacked ? 0x8000_8000 : 0
            guard status & Status.featuresOK != 0, !rings[ring].isEnabled, base == initial else {
                return -EOPNOTSUPP
            }
        case .vduse: break  // the daemon asks for it when the queue starts
        }
        return 0
    }

    private func getBase(_ ring: Int, _ argument: UInt) -> Int32 {
        guard configuration.driver != .virtioPCI else { return -EOPNOTSUPP }
        let state = rings[ring]
        let used = isPacked ? UInt32(state.usedIndex) << 16 : 0
        return put(UInt32(state.availableIndex) | used, at: argument + 4)
    }

    // MARK: events

    private mutating func setEvent(_ request: UInt32, _ ring: Int, _ argument: UInt) -> Int32 {
        guard let number = number(argument) else { return -EFAULT }
        var event: EventReference?
        if number != .max {  // VHOST_FILE_UNBIND, -1
            switch EventReference.open(Int32(bitPattern: number)) {
            case .failure(let error): return -error.rawValue
            case .success(let opened): event = opened
            }
        }
        switch request {
        case CVHOST_SET_VRING_KICK:
            events[ring].kick = event
        case CVHOST_SET_VRING_CALL:
            events[ring].call = event
        default:
            events[ring].error = event
        }
        return 0
    }

    // MARK: enable, groups

    private mutating func setEnabled(_ ring: Int, _ argument: UInt) -> Int32 {
        guard let value = number(argument) else { return -EFAULT }
        rings[ring].isEnabled = value != 0
        // A virtio device (QEMU's, measured) takes 0 for an error: only a reset disables its
        // queues. That a ring is not mapped it does not notice here.
        if configuration.driver == .virtioPCI, value == 0,
            driverFeatures & Feature.version1 != 0
        {
            status |= Status.needsReset
        }
        return 0
    }

    /// Only vdpa_sim has queue groups.
    private func getGroup(_ ring: Int, _ argument: UInt) -> Int32 {
        guard configuration.driver == .vdpaSim else { return -EOPNOTSUPP }
        let group = group(ofQueue: UInt32(ring))
        guard group < configuration.groupCount else { return -EIO }
        return put(group, at: argument + 4)
    }

    /// `group` has passed for a queue's index by now, hence ENOBUFS for large ones.
    private mutating func setAddressSpace(ofGroup group: Int, _ argument: UInt) -> Int32 {
        guard let space = number(argument) else { return -EFAULT }
        guard group < configuration.groupCount, space < configuration.addressSpaceCount else {
            return -EINVAL
        }
        if kernel.locksRunningGroups, isRunning { return -EBUSY }
        guard configuration.driver == .vdpaSim else { return -EOPNOTSUPP }
        addressSpaceOfGroup[group] = space
        return 0
    }
}
