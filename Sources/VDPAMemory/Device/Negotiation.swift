internal import IOVAAllocator
internal import VhostVDPA

/// What is settled with a device before anything is mapped: who owns it, which backend features
/// are on, what it can address.
struct Negotiation: ~Copyable {
    private var device: VhostDevice
    let backendFeatures: BackendFeatures
    let iovaRange: IOVARange
    let addressSpaceCount: UInt32

    var vhost: VhostDevice { _read { yield device } }

    consuming func takeDevice() -> VhostDevice { device }

    /// A device that this process has just opened. On failure the file is closed.
    static func fresh(_ file: any DeviceFile) throws(DMAError) -> Negotiation {
        let device = VhostDevice(file)
        do {
            try device.setOwner()
            return try settle(device)
        } catch {
            throw DMAError(error)
        }
    }

    /// A device that somebody opened before: its owner may be this process already. On failure
    /// the file is closed.
    ///
    /// EBUSY from SET_OWNER is only believed to mean "this process" if a call that the kernel
    /// answers to the owner alone is not EPERM (drivers/vhost/vhost.c, `vhost_dev_check_owner`).
    /// The table must start empty, since nobody can read it: a device that is running
    /// (DRIVER_OK) is refused, before anything is changed, and on any other everything is
    /// unmapped in every address space.
    static func adopted(_ file: any DeviceFile) throws(DMAError) -> Negotiation {
        let device = VhostDevice(file)
        try requireVhostVDPA(device)
        try requireStopped(device)
        do throws(VhostError) {
            try takeOwnership(device)
            let result = try settle(device)
            try empty(result, file)
            return result
        } catch {
            throw DMAError(error)
        }
    }

    /// GET_DEVICE_ID fails on a vhost-vdpa file only if the file or the device is gone. Other
    /// files say ENOTTY, other vhost devices EPERM or ENOBUFS.
    private static func requireVhostVDPA(_ device: borrowing VhostDevice) throws(DMAError) {
        do throws(VhostError) {
            _ = try device.getDeviceID()
        } catch {
            switch error.code {
            case .closed, .deviceFailed, .noDevice, .interrupted: throw DMAError(error)
            default:
                throw DMAError(
                    .invalidArgument, "The descriptor is not of a vhost-vdpa device.",
                    remedy: "Pass the descriptor of an open /dev/vhost-vdpa-N.",
                    errno: error.errno?.rawValue)
            }
        }
    }

    private static func requireStopped(_ device: borrowing VhostDevice) throws(DMAError) {
        let status: DeviceStatus
        do throws(VhostError) { status = try device.getStatus() } catch { throw DMAError(error) }
        guard !status.contains(.driverOK) else {
            throw DMAError(
                .deviceUnavailable,
                "The device is running (DRIVER_OK) with mappings that this library does not know.",
                remedy: "Reset it (SET_STATUS 0) before it is adopted.")
        }
    }

    /// Ends a batch that the earlier user left open, in whichever address space: while it is open
    /// the messages of every other one fail. Without one, BATCH_END does nothing.
    private static func empty(
        _ result: borrowing Negotiation, _ file: any DeviceFile
    ) throws(VhostError) {
        let channel = IOTLBChannel(file, acknowledged: result.backendFeatures)
        let spaces = 0..<result.addressSpaceCount
        for space in spaces { try? channel.batchEnd(asid: space) }
        for space in spaces { try channel.unmapEverything(asid: space) }
    }

    private static func takeOwnership(_ device: borrowing VhostDevice) throws(VhostError) {
        do throws(VhostError) {
            try device.setOwner()
        } catch {
            guard error.errno == .busy else { throw error }
            do throws(VhostError) {
                _ = try device.getVringGroup(queue: 0)
            } catch let answer {
                if answer.errno == .notOwner { throw answer }
                // Any other answer comes from behind the owner's check.
            }
        }
    }

    /// Backend features are acknowledged again for an adopted file too: without IOTLB_ASID a
    /// message for address space 1 lands in 0.
    private static func settle(
        _ device: consuming VhostDevice
    ) throws(VhostError) -> Negotiation {
        let offered = try device.getBackendFeatures()
        let wanted = offered.intersection(.known)
        try device.setBackendFeatures(wanted)
        let range = try device.getIOVARange()
        let count =
            wanted.contains(.addressSpaces) ? max(1, try device.getAddressSpaceCount()) : 1
        return Negotiation(
            device: device, backendFeatures: wanted, iovaRange: range, addressSpaceCount: count)
    }
}

extension BackendFeatures {
    /// The features that this library acknowledges where they are offered.
    static let known: BackendFeatures = [
        .messageV2, .batch, .addressSpaces, .suspend, .resume, .enableAfterDriverOK,
        .descriptorASID, .persistentIOTLB,
    ]
}
