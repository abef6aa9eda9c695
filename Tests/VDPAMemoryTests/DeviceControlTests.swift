import IOVAAllocator
import Testing
import VDPAMemory
import VDPASimulator
import VhostVDPA

@Suite("Device: control operations")
struct DeviceControlTests {
    let simulated: SimulatedDevice
    let file: WatchedFile
    let device: VDPADevice

    init() throws {
        simulated = SimulatedDevice(.vdpaSimNet(kernel: .v6_12))
        file = WatchedFile(simulated)
        device = try VDPADevice(file: file, traits: DeviceTraits(of: simulated))
        file.forgetRequests()
    }

    private func start() throws {
        try device.setStatus([.acknowledge, .driver])
        try device.setFeatures([.version1, .accessPlatform])
        try device.setStatus([.acknowledge, .driver, .featuresOK])
    }

    @Test("Each figure is read by its one request")
    func figures() throws {
        #expect(try device.deviceID == .network)
        #expect(try device.status == [])
        #expect(try device.offeredFeatures.contains([.version1, .accessPlatform]))
        #expect(try device.configSize == 24)
        #expect(try device.queueCount == 3)
        #expect(try device.maximumQueueSize == 256)
        #expect(try device.maximumSize(ofQueue: 1) == 256)
        #expect(try device.groupCount == 2)
        #expect(try device.group(ofQueue: 2) == 1)
        #expect(
            file.requests
                == operations(
                    .getDeviceID, .getStatus, .getFeatures, .getConfigSize, .getQueueCount,
                    .getVringNum, .getVringSize, .getGroupCount, .getVringGroup))
    }

    @Test("Status and features reach the device, and a cleared bit or a late feature is refused")
    func statusAndFeatures() throws {
        try start()
        #expect(simulated.status == 0xb)
        #expect(simulated.driverFeatures == 3 << 32)
        #expect(dmaFailure(try device.setStatus(.driver))?.code == .invalidArgument)
        #expect(dmaFailure(try device.setFeatures(.version1))?.code == .deviceUnavailable)
        #expect(device.ringLayout == .split)
    }

    @Test("Accepting RING_PACKED says how queues are laid out, a refused set does not")
    func layout() throws {
        #expect(dmaFailure(try device.setFeatures(.ringPacked))?.code == .invalidArgument)
        #expect(device.ringLayout == .split)
        try device.setFeatures([.version1, .accessPlatform, .ringPacked])
        #expect(device.ringLayout == .packed)
        try device.reset()
        #expect(device.ringLayout == .split)
    }

    @Test("The configuration space is read and written inside its bounds only")
    func config() throws {
        #expect(try device.config(offset: 10, byteCount: 2) == [0xdc, 0x05])
        try device.setConfig(offset: 0, [1, 2, 3])
        #expect(try device.config(byteCount: 4) == [1, 2, 3, 0])
        #expect(try device.config(byteCount: 24).count == 24)
        file.forgetRequests()
        for (offset, count) in [(0, 0), (0, 25), (24, 1), (25, 1), (-1, 1), (1 << 32, 1), (0, -1)] {
            let error = dmaFailure(try device.config(offset: offset, byteCount: count))
            #expect(error?.code == .invalidArgument, "\(count) bytes at \(offset)")
        }
        for (offset, bytes) in [(0, []), (24, [0]), (-1, [0]), (23, [0, 0])] as [(Int, [UInt8])] {
            let error = dmaFailure(try device.setConfig(offset: offset, bytes))
            #expect(error?.code == .invalidArgument, "\(bytes.count) bytes at \(offset)")
        }
        let config = operations(.getConfig, .setConfig)
        #expect(!file.requests.contains { config.contains($0) }, "refused before the call")
    }

    @Test("Events are bound and unbound, and what is no eventfd is refused")
    func events() throws {
        let event = EventDescriptor()
        try device.setKick(event.binding, ofQueue: 0)
        try device.setCall(event.binding, ofQueue: 0)
        try device.setErr(event.binding, ofQueue: 0)
        try device.setConfigCall(event.binding)
        #expect(simulated.ring(0).kick == event.number)
        #expect(simulated.ring(0).call == event.number)
        #expect(simulated.ring(0).error == event.number)
        try device.setKick(.unbound, ofQueue: 0)
        try device.setCall(.unbound, ofQueue: 0)
        try device.setErr(.unbound, ofQueue: 0)
        try device.setConfigCall(.unbound)
        #expect(simulated.ring(0).kick == nil)
        #expect(simulated.ring(0).call == nil)
        #expect(simulated.ring(0).error == nil)
        for bad in [EventBinding.eventfd(-1), .eventfd(1 << 20)] {
            #expect(dmaFailure(try device.setKick(bad, ofQueue: 0))?.code == .invalidArgument)
            #expect(dmaFailure(try device.setCall(bad, ofQueue: 0))?.code == .invalidArgument)
            #expect(dmaFailure(try device.setErr(bad, ofQueue: 0))?.code == .invalidArgument)
            #expect(dmaFailure(try device.setConfigCall(bad))?.code == .invalidArgument)
        }
        #expect(dmaFailure(try device.setKick(.unbound, ofQueue: 3))?.code == .invalidArgument)
    }

    @Test("A queue's size is a power of two up to the device's maximum")
    func queueSize() throws {
        try device.setQueueSize(128, ofQueue: 1)
        #expect(simulated.ring(1).size == 128)
        for size in [0, -1, 3, 512, 1 << 40] {
            let error = dmaFailure(try device.setQueueSize(size, ofQueue: 1))
            #expect(error?.code == .invalidArgument, "\(size)")
        }
        #expect(simulated.ring(1).size == 128)
        #expect(dmaFailure(try device.setQueueSize(16, ofQueue: 3))?.code == .invalidArgument)
    }

    @Test("A ring's base comes back as it was set, split and packed")
    func ringBase() throws {
        try device.setRingBase(.split(availableIndex: 77), ofQueue: 0)
        #expect(try device.ringBase(ofQueue: 0) == .split(availableIndex: 77))
    }

    @Test("A packed ring's base carries both positions")
    func packedBase() throws {
        var configuration = SimulatedDevice.Configuration.vdpaSimNet(kernel: .v6_12)
        configuration.features |= VirtioFeatures.ringPacked.rawValue
        let device = try VDPADevice.simulated(configuration)
        try device.setFeatures([.version1, .accessPlatform, .ringPacked])
        let used = try #require(PackedVringPosition(index: 9, wrapCounter: true))
        let available = try #require(PackedVringPosition(index: 12, wrapCounter: false))
        let base = VringBase.packed(available: available, used: used)
        try device.setRingBase(base, ofQueue: 1)
        #expect(try device.ringBase(ofQueue: 1) == base)
    }

    @Test("Suspend and resume reach a running device")
    func suspend() throws {
        try start()
        try device.setStatus([.acknowledge, .driver, .featuresOK, .driverOK])
        try device.suspend()
        #expect(simulated.isSuspended)
        try device.resume()
        #expect(!simulated.isSuspended)
    }

    @Test("What a kernel does not have is notSupported")
    func oldKernel() throws {
        let device = try VDPADevice.simulated(.vdpaSimNet(kernel: .v5_19))
        #expect(dmaFailure(try device.suspend())?.code == .notSupported)
        #expect(dmaFailure(try device.resume())?.code == .notSupported)
        #expect(dmaFailure(try device.maximumSize(ofQueue: 0))?.code == .notSupported)
        #expect(dmaFailure(try device.descriptorGroup(ofQueue: 0))?.code == .notSupported)
    }

    @Test("What vhost-vdpa refuses by design says so, with a remedy")
    func refusedByDesign() throws {
        for error in [
            dmaFailure(try device.resetOwner()), dmaFailure(try device.setLogBase(0)),
            dmaFailure(try device.setLogDescriptor(.unbound)),
        ] {
            #expect(error?.code == .notSupported)
            #expect(error?.remedy.isEmpty == false)
        }
        #expect(file.requests == operations(.resetOwner, .setLogBase, .setLogFD))
    }

    @Test("A memory table is taken, maps nothing, and has 64 regions at most")
    func memoryTable() throws {
        let region = MemoryTableRegion(guestAddress: 0, byteCount: 4096, userAddress: 4096)
        try device.setMemoryTable([region])
        #expect(simulated.kernelEntries().isEmpty)
        let tooMany = [MemoryTableRegion](repeating: region, count: 65)
        #expect(dmaFailure(try device.setMemoryTable(tooMany))?.code == .invalidArgument)
    }

    @Test("A forked child may read the status, and not touch queues")
    func forkedChild() throws {
        let device = device
        let error = try SimulatedDevice.simulateOtherProcess {
            dmaFailure(try device.setQueueSize(16, ofQueue: 0))
        }
        #expect(error?.code == .notOwner)
        #expect(try SimulatedDevice.simulateOtherProcess { try device.status } == [])
    }

    @Test("A reset is counted as losing mappings, unless they persist")
    func resetEpoch() throws {
        #expect(device.backendFeatures.contains(.persistentIOTLB))
        try device.reset()
        #expect(device.tableEpoch == 0)

        let old = try VDPADevice.simulated(.vdpaSimNet(kernel: .v6_1))
        try old.reset()
        #expect(old.tableEpoch == 1)
        try old.setStatus(.acknowledge)
        #expect(old.tableEpoch == 1)
        try old.setStatus(.reset)
        #expect(old.tableEpoch == 2)
    }

    @Test("A reset that fails is counted too, since the table may be gone")
    func failedReset() throws {
        let simulated = SimulatedDevice(.vduse())
        let device = try VDPADevice(simulated)
        simulated.failNext(.ioctl, errno: 5)
        #expect(dmaFailure(try device.reset())?.code == .deviceGone)
        #expect(device.tableEpoch == 1)
    }

    private func operations(_ operations: VhostOperation...) -> [UInt32] {
        operations.compactMap(\.request)
    }
}
