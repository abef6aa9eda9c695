internal import VDPAMemory

/// One queue of a device, as the device is told about it.
struct QueueSetup {
    let index: UInt32
    let size: Int
    let addresses: VringAddresses
    let kick: EventBinding
    let call: EventBinding
}

extension VirtioFeatures {
    static let indirectDescriptors = VirtioFeatures(rawValue: 1 << 28)
    static let eventIndex = VirtioFeatures(rawValue: 1 << 29)
}

// A device's way to DRIVER_OK (virtio specification 1.2, section 3.1.1), over the library's control
// operations.
extension VDPADevice {
    /// As far as FEATURES_OK, from a device that is fresh from opening or from a reset.
    ///
    /// - Returns: what both sides know of: VERSION_1, ACCESS_PLATFORM, and of `wanted` what the
    ///   device offers.
    func negotiate(_ wanted: VirtioFeatures) throws(DriverError) -> VirtioFeatures {
        try dma { () throws(DMAError) in try setStatus([.acknowledge]) }
        try dma { () throws(DMAError) in try setStatus([.acknowledge, .driver]) }
        let offered = try dma { () throws(DMAError) in try offeredFeatures }
        let needed: VirtioFeatures = [.version1, .accessPlatform]
        guard offered.isSuperset(of: needed) else { throw .featuresRefused(offered) }
        let accepted = offered.intersection(wanted).union(needed)
        try dma { () throws(DMAError) in
            try setFeatures(accepted)
            try setStatus([.acknowledge, .driver, .featuresOK])
        }
        // The kernel does not say whether the device kept the bit.
        let status = try dma { () throws(DMAError) in try self.status }
        guard status.contains(.featuresOK) else { throw .featuresRefused(accepted) }
        return accepted
    }

    /// From FEATURES_OK to DRIVER_OK.
    func start(_ queues: [QueueSetup]) throws(DriverError) {
        try dma { () throws(DMAError) in
            for queue in queues {
                try setQueueSize(queue.size, ofQueue: queue.index)
                try setRingBase(.split(availableIndex: 0), ofQueue: queue.index)
                try setRingAddresses(queue.addresses, ofQueue: queue.index)
                try setCall(queue.call, ofQueue: queue.index)
                try setKick(queue.kick, ofQueue: queue.index)
            }
            for queue in queues { try setQueueEnabled(true, ofQueue: queue.index) }
            try setStatus(try self.status.union(.driverOK))
        }
        let status = try dma { () throws(DMAError) in try self.status }
        guard status.contains(.driverOK), !status.contains(.needsReset) else { throw .needsReset }
    }
}
