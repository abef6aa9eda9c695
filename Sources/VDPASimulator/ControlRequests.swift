internal import CVhostVDPA
internal import IOVAAllocator
internal import VhostVDPA

// ioctl: drivers/vhost/vdpa.c, vhost_vdpa_unlocked_ioctl. Answers 0 or the negative of an errno.
// `argument` is the address of the request's structure; 0 where the caller gave none.

extension DeviceState {
    /// The requests that need no owner; everything else goes on to the owner's.
    mutating func ioctl(_ request: UInt32, _ argument: UInt, process: Int) -> Int32 {
        switch request {
        case CVHOST_SET_BACKEND_FEATURES: setBackendFeatures(argument)
        case CVHOST_GET_BACKEND_FEATURES: put(offeredBackendFeatures, at: argument)
        case CVHOST_GET_FEATURES: put(configuration.features, at: argument)
        case CVHOST_SET_FEATURES: setFeatures(argument)
        case CVHOST_VDPA_GET_DEVICE_ID: put(configuration.deviceID, at: argument)
        case CVHOST_VDPA_GET_STATUS: put(status, at: argument)
        case CVHOST_VDPA_SET_STATUS: setStatus(argument)
        case CVHOST_VDPA_GET_CONFIG: getConfiguration(argument)
        case CVHOST_VDPA_SET_CONFIG: setConfiguration(argument)
        case CVHOST_VDPA_GET_VRING_NUM: put(configuration.maximumQueueSize, at: argument)
        case CVHOST_VDPA_SET_CONFIG_CALL: setConfigurationCall(argument)
        case CVHOST_VDPA_GET_IOVA_RANGE: getRange(argument)
        case CVHOST_VDPA_GET_CONFIG_SIZE:
            put(UInt32(configuration.configurationSpace.count), at: argument)
        case CVHOST_VDPA_GET_VQS_COUNT: put(configuration.queueCount, at: argument)
        case CVHOST_VDPA_GET_GROUP_NUM: put(configuration.groupCount, at: argument)
        case CVHOST_VDPA_GET_AS_NUM: put(configuration.addressSpaceCount, at: argument)
        case CVHOST_SET_LOG_BASE, CVHOST_SET_LOG_FD: -ENOTTY
        case CVHOST_VDPA_SUSPEND where kernel.hasSuspend: suspend(true, isOffered: parentSuspends)
        case CVHOST_VDPA_RESUME where kernel.hasResume: suspend(false, isOffered: parentSuspends)
        default: ownedIOCTL(request, argument, process: process)
        }
    }

    /// copy_to_user of an integer.
    func put<Value: FixedWidthInteger>(_ value: Value, at argument: UInt) -> Int32 {
        ProcessMemory.write(Array(littleEndian: value), to: argument) ? 0 : -EFAULT
    }

    // MARK: backend features

    /// vdpa_sim has a suspend operation; vp_vdpa and VDUSE have none.
    private var parentSuspends: Bool { kernel.hasSuspend && configuration.driver == .vdpaSim }

    private var offeredBackendFeatures: UInt64 {
        var bits = [
            CVHOST_BACKEND_F_IOTLB_MSG_V2, CVHOST_BACKEND_F_IOTLB_BATCH,
            CVHOST_BACKEND_F_IOTLB_ASID,
        ]
        let isSim = configuration.driver == .vdpaSim
        if parentSuspends { bits.append(CVHOST_BACKEND_F_SUSPEND) }
        if parentSuspends, kernel.hasResume { bits.append(CVHOST_BACKEND_F_RESUME) }
        if isSim, kernel.offersEnableAfterDriverOK {
            bits.append(CVHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK)
        }
        if kernel.hasPersistence, isSim || configuration.kind == .platformIOMMU {
            bits.append(CVHOST_BACKEND_F_IOTLB_PERSIST)
        }
        return bits.reduce(configuration.extraBackendFeatures) { $0 | 1 << UInt64($1) }
    }

    /// May be called at any time, by anyone, and replaces the set.
    private mutating func setBackendFeatures(_ argument: UInt) -> Int32 {
        guard let bytes = ProcessMemory.read(argument, count: 8) else { return -EFAULT }
        let wanted: UInt64 = bytes.integer(at: 0)
        guard wanted & ~offeredBackendFeatures == 0 else { return -EOPNOTSUPP }
        let hasDescriptorSpaces = wanted & 1 << UInt64(CVHOST_BACKEND_F_DESC_ASID) != 0
        let hasSpaces = wanted & 1 << UInt64(CVHOST_BACKEND_F_IOTLB_ASID) != 0
        guard hasSpaces || !hasDescriptorSpaces else { return -EINVAL }
        backendFeatures = wanted
        return 0
    }

    // MARK: features and status

    private mutating func setFeatures(_ argument: UInt) -> Int32 {
        guard status & Status.featuresOK == 0 else { return -EBUSY }
        guard let bytes = ProcessMemory.read(argument, count: 8) else { return -EFAULT }
        let wanted: UInt64 = bytes.integer(at: 0)
        switch configuration.driver {
        case .vdpaSim:
            guard wanted & Feature.accessPlatform != 0 else { return -EINVAL }
            driverFeatures = wanted & configuration.features
        case .virtioPCI: driverFeatures = wanted & configuration.features
        case .vduse: driverFeatures = wanted
        }
        ackedFeatures = driverFeatures
        return 0
    }

    /// Bits may only be added, except that 0 resets. Nobody promises that FEATURES_OK stays.
    private mutating func setStatus(_ argument: UInt) -> Int32 {
        guard let bytes = ProcessMemory.read(argument, count: 1) else { return -EFAULT }
        let wanted = bytes[0]
        if wanted == 0 {
            resetDevice()
            return 0
        }
        guard status & ~wanted == 0 else { return -EINVAL }
        status = wanted
        return 0
    }

    /// vdpa_sim before 6.9 suspends in any state.
    private mutating func suspend(_ value: Bool, isOffered: Bool) -> Int32 {
        if kernel.suspendsOnlyRunningDevices, !isRunning { return 0 }
        guard isOffered else { return -EOPNOTSUPP }
        isSuspended = value
        return 0
    }

    // MARK: configuration space and range

    /// The two header fields, checked by vhost_vdpa_config_validate; its E2BIG is masked.
    private func configurationWindow(_ argument: UInt) -> Result<Range<Int>, RequestError> {
        guard let header = ProcessMemory.read(argument, count: 8) else {
            return .failure(RequestError(errno: EFAULT))
        }
        let offset: UInt32 = header.integer(at: 0)
        let count: UInt32 = header.integer(at: 4)
        let size = configuration.configurationSpace.count
        guard count != 0, Int(offset) <= size, Int(count) <= size - Int(offset) else {
            return .failure(RequestError(errno: EINVAL))
        }
        return .success(Int(offset)..<Int(offset) + Int(count))
    }

    private func getConfiguration(_ argument: UInt) -> Int32 {
        switch configurationWindow(argument) {
        case .failure(let error): return -error.errno
        case .success(let window):
            let bytes = Array(configuration.configurationSpace[window])
            return ProcessMemory.write(bytes, to: argument + 8) ? 0 : -EFAULT
        }
    }

    /// Only vdpa_sim's network device keeps what is written: its link status excepted. The block
    /// device builds its space anew for each reader; VDUSE and a virtio-blk device ignore it.
    private mutating func setConfiguration(_ argument: UInt) -> Int32 {
        switch configurationWindow(argument) {
        case .failure(let error): return -error.errno
        case .success(let window):
            guard let bytes = ProcessMemory.read(argument + 8, count: window.count) else {
                return -EFAULT
            }
            guard configuration.driver == .vdpaSim, configuration.deviceID != 2 else { return 0 }
            for (index, byte) in zip(window, bytes) where configuration.isWritable(index) {
                configuration.configurationSpace[index] = byte
            }
            return 0
        }
    }

    private func getRange(_ argument: UInt) -> Int32 {
        let range = configuration.iovaRange
        let bytes: [UInt8] =
            Array(littleEndian: range.first.rawValue) + Array(littleEndian: range.last.rawValue)
        return ProcessMemory.write(bytes, to: argument) ? 0 : -EFAULT
    }

    private mutating func setConfigurationCall(_ argument: UInt) -> Int32 {
        guard let bytes = ProcessMemory.read(argument, count: 4) else { return -EFAULT }
        let number: Int32 = bytes.integer(at: 0)
        guard number != -1 else {
            configurationCall = nil
            return 0
        }
        switch EventReference.open(number) {
        case .failure(let error): return -error.rawValue
        case .success(let event):
            configurationCall = event
            return 0
        }
    }
}

private struct RequestError: Error {
    var errno: Int32
}

extension SimulatedDevice.Configuration {
    /// The network device writes its link status at each read.
    fileprivate func isWritable(_ index: Int) -> Bool { deviceID != 1 || !(6...7).contains(index) }
}
