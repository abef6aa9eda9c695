import IOVAAllocator
import Testing
import VDPAMemory
import VDPASimulator
import VhostVDPA

@Suite("Device: opening and letting go")
struct DeviceNegotiationTests {
    @Test("Opening settles the owner, the features, the range and the address spaces")
    func open() throws {
        let simulated = SimulatedDevice(.vdpaSimNet(kernel: .v6_12))
        let device = try VDPADevice(simulated)
        #expect(simulated.hasOwner)
        #expect(simulated.acknowledgedBackendFeatures == device.backendFeatures.rawValue)
        #expect(device.supportsBatching)
        #expect(device.iovaRange == .all)
        #expect(device.addressSpaceCount == 2)
        #expect(device.name == "simulated device")
        #expect(device.numaNode == nil)
        #expect(device.entryLimit == 2048)
    }

    @Test("Backend features that this library does not know are not acknowledged")
    func unknownFeature() throws {
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.extraBackendFeatures = 1 << 40
        let simulated = SimulatedDevice(configuration)
        _ = try VDPADevice(simulated)
        let device = try VDPADevice(simulated)
        #expect(simulated.acknowledgedBackendFeatures & 1 << 40 == 0)
        #expect(device.backendFeatures.contains(.batch))
    }

    @Test("The last reference closes the file, once")
    func close() throws {
        let simulated = SimulatedDevice()
        let file = WatchedFile(simulated)
        do {
            let device = try VDPADevice(file: file, traits: DeviceTraits(of: simulated))
            #expect(try device.status == [])
            #expect(file.closeCount == 0)
        }
        #expect(file.closeCount == 1)
        #expect(!simulated.isOpen)
    }

    @Test("A device that is open elsewhere is unavailable, and stays the other's")
    func busy() throws {
        let simulated = SimulatedDevice()
        let device = try VDPADevice(simulated)
        let error = dmaFailure(try VDPADevice(simulated))
        #expect(error?.code == .deviceUnavailable)
        #expect(error?.errno == 16)
        #expect(try device.status == [])
    }

    @Test("A path that is no device is unavailable")
    func noSuchPath() {
        let error = dmaFailure(try VDPADevice(path: "/dev/vhost-vdpa-no-such"))
        #expect(error?.code == .deviceUnavailable)
        #expect(error?.errno == 2)
    }

    /// SET_OWNER, GET_ and SET_BACKEND_FEATURES, GET_IOVA_RANGE, GET_AS_NUM.
    @Test("A failure at any step closes the file exactly once", arguments: 1...5)
    func everyStep(step: Int) throws {
        for errno: Int32 in [5, 14, 1] {
            let simulated = SimulatedDevice()
            let file = WatchedFile(simulated, failures: [step: errno])
            let error = dmaFailure(
                try VDPADevice(file: file, traits: DeviceTraits(of: simulated)))
            #expect(error?.errno == errno, "errno \(errno) at step \(step)")
            #expect(file.callCount == step)
            #expect(file.closeCount == 1)
            #expect(!simulated.isOpen)
            _ = try VDPADevice(simulated)
        }
    }

    @Test("There is no sixth step")
    func steps() throws {
        let simulated = SimulatedDevice()
        let file = WatchedFile(simulated)
        _ = try VDPADevice(file: file, traits: DeviceTraits(of: simulated))
        #expect(file.callCount == 5)
    }

    @Test("A simulated device's traits are the simulator's figures, read anew")
    func traits() throws {
        var configuration = SimulatedDevice.Configuration.vpVDPA()
        configuration.entryLimit = 77
        configuration.lockedMemoryLimit = 1 << 20
        configuration.externallyPinnedByteCount = 8192
        let simulated = SimulatedDevice(configuration)
        let traits = DeviceTraits(of: simulated)
        #expect(traits.isSimulated)
        #expect(traits.mapping == .pinned)
        #expect(traits.entryLimit == 77)
        #expect(traits.reservedWindows == configuration.reservedWindows)
        #expect(traits.lockedMemory() == .init(limit: 1 << 20, pinned: 8192))
        #expect(traits.pinnedByteCount() == 8192)
        simulated.lockedMemoryLimit = nil
        simulated.externallyPinnedByteCount = 0
        #expect(traits.lockedMemory() == .init(limit: nil, pinned: 0))
        #expect(DeviceTraits(of: SimulatedDevice(.vduse())).mapping == .virtualAddress)
        #expect(!(try VDPADevice.simulated(.vduse()).pinsMemory))
    }
}
