public import VDPAMemory
internal import VhostVDPA

extension VDPADevice {
    /// A device with no hardware and no kernel, for tests and for trying the library.
    ///
    /// To look behind it, inject faults or move data as the hardware would, make the
    /// `SimulatedDevice` first and open it with `VDPADevice(_:)`.
    ///
    /// - Throws: as `VDPADevice(path:)`, for a configuration that the library does not accept.
    public static func simulated(
        _ configuration: SimulatedDevice.Configuration = .vdpaSimNet()
    ) throws(DMAError) -> VDPADevice {
        try VDPADevice(SimulatedDevice(configuration))
    }

    /// Opens a simulated device, as `VDPADevice(path:)` opens one of the machine.
    ///
    /// - Throws: `deviceUnavailable` while it is open elsewhere.
    public convenience init(_ device: SimulatedDevice) throws(DMAError) {
        try self.init(opened: device.open().map { $0 }, traits: DeviceTraits(of: device))
    }
}

extension DeviceTraits {
    /// What sysfs and procfs would tell about a simulated device. The limit on locked memory and
    /// what is pinned are the simulator's own figures, read anew each time.
    package init(of device: SimulatedDevice) {
        self.init(
            name: "simulated device",
            mapping: device.usesVirtualAddresses ? .virtualAddress : .pinned,
            numaNode: device.numaNode, reservedWindows: device.reservedWindows,
            entryLimit: device.entryLimit, isSimulated: true,
            raiseLockedMemoryLimit: {
                guard let hard = device.configuration.lockedMemoryHardLimit else { return }
                device.lockedMemoryLimit = hard
            },
            lockedMemory: {
                LockedMemory(limit: device.lockedMemoryLimit, pinned: device.pinnedByteCount)
            })
    }
}
