import Glibc
import IOVAAllocator
import Testing
import VDPAMemory
import VDPASimulator
import VhostVDPA

@Suite("Device: adoption")
struct DeviceAdoptionTests {
    let simulated = SimulatedDevice(.vdpaSimNet())
    let traits: DeviceTraits

    init() { traits = DeviceTraits(of: simulated) }

    /// The file as an earlier user of this process left it: owned, features acknowledged, a page
    /// mapped in each address space.
    private func used() throws -> (file: any DeviceFile, page: Page) {
        let file = simulated.file
        let page = Page()
        do {
            let user = VhostDevice(Borrowed(file))
            try user.setOwner()
            try user.setBackendFeatures([.messageV2, .batch, .addressSpaces])
            let channel = IOTLBChannel(file, acknowledged: [.messageV2, .batch, .addressSpaces])
            for space: UInt32 in 0...1 {
                try channel.dmaMap(
                    IOVARange(first: 0x10000, last: 0x10fff), at: page.address,
                    access: .readWrite, asid: space)
            }
        }
        return (file, page)
    }

    @Test("A file without an owner gets one")
    func fresh() throws {
        let device = try VDPADevice(adopting: simulated.file, traits: traits)
        #expect(simulated.hasOwner)
        #expect(device.addressSpaceCount == 2)
    }

    @Test("A file that this process owns is adopted, and its table emptied in every space")
    func owned() throws {
        let (file, page) = try used()
        defer { _ = page }
        #expect(simulated.kernelEntries(addressSpace: 1).count == 1)
        let device = try VDPADevice(adopting: file, traits: traits)
        for space: UInt32 in 0...1 {
            #expect(simulated.kernelEntries(addressSpace: space).isEmpty)
            #expect(simulated.deviceEntries(addressSpace: space).isEmpty)
        }
        #expect(simulated.pinnedByteCount == 0)
        #expect(!simulated.isInBatch)
        #expect(device.supportsBatching)
    }

    @Test("Backend features are acknowledged again, so that ASID 1 is not 0")
    func features() throws {
        let (file, page) = try used()
        defer { _ = page }
        let user = VhostDevice(Borrowed(file))
        try user.setBackendFeatures([])
        let device = try VDPADevice(adopting: file, traits: traits)
        #expect(device.backendFeatures.contains([.batch, .addressSpaces]))
        #expect(simulated.acknowledgedBackendFeatures == device.backendFeatures.rawValue)
        #expect(simulated.kernelEntries(addressSpace: 1).isEmpty)
    }

    @Test("A batch that the earlier user left open is ended", arguments: [0, 1] as [UInt32])
    func openBatch(space: UInt32) throws {
        let (file, page) = try used()
        defer { _ = page }
        let channel = IOTLBChannel(file, acknowledged: [.messageV2, .batch, .addressSpaces])
        try channel.batchBegin(asid: space)
        let device = try VDPADevice(adopting: file, traits: traits)
        #expect(!simulated.isInBatch)
        #expect(simulated.kernelEntries(addressSpace: 0).isEmpty)
        #expect(simulated.kernelEntries(addressSpace: 1).isEmpty)
        #expect(device.addressSpaceCount == 2)
    }

    @Test("A file that another process owns is refused, and nothing in it changes")
    func otherOwner() throws {
        let (file, page) = try used()
        defer { _ = page }
        let before = simulated.mappingSnapshot
        let error = try SimulatedDevice.simulateOtherProcess {
            dmaFailure(try VDPADevice(adopting: Borrowed(file), traits: traits))
        }
        #expect(error?.code == .notOwner)
        #expect(simulated.mappingSnapshot == before)
    }

    @Test("A running device is refused before anything is changed")
    func running() throws {
        let file = simulated.file
        let user = VhostDevice(Borrowed(file))
        try user.setStatus([.acknowledge, .driver, .driverOK])
        let error = dmaFailure(try VDPADevice(adopting: Borrowed(file), traits: traits))
        #expect(error?.code == .deviceUnavailable)
        #expect(error?.message.contains("running") == true)
        #expect(!simulated.hasOwner)
        #expect(simulated.acknowledgedBackendFeatures == 0)
        try user.setStatus(.reset)
        let device = try VDPADevice(adopting: file, traits: traits)
        #expect(try device.status == [])
    }

    @Test("Devices whose driver knows no groups are adopted from this process, not from another")
    func withoutGroups() throws {
        let simulated = SimulatedDevice(.vpVDPA())
        let file = simulated.file
        do {
            let user = VhostDevice(Borrowed(file))
            try user.setOwner()
        }
        let traits = DeviceTraits(of: simulated)
        let error = try SimulatedDevice.simulateOtherProcess {
            dmaFailure(try VDPADevice(adopting: Borrowed(file), traits: traits))
        }
        #expect(error?.code == .notOwner)
        let device = try VDPADevice(adopting: file, traits: traits)
        #expect(device.addressSpaceCount == 1)
    }

    @Test("A failure at any step closes the file exactly once, and the last step is known")
    func everyStep() throws {
        let counting = SimulatedDevice(.vdpaSimNet())
        let whole = WatchedFile(counting)
        do { _ = try VDPADevice(adopting: whole, traits: DeviceTraits(of: counting)) }
        #expect(whole.closeCount == 1)
        // 7 requests, a BATCH_END for each address space, which may fail, 4 messages each.
        #expect(whole.callCount == 7 + 2 + 8)
        for step in 1...whole.callCount where !(8...9).contains(step) {
            let simulated = SimulatedDevice(.vdpaSimNet())
            let file = WatchedFile(simulated, failures: [step: 14])
            let error = dmaFailure(
                try VDPADevice(adopting: file, traits: DeviceTraits(of: simulated)))
            #expect(error != nil, "step \(step)")
            #expect(file.closeCount == 1, "step \(step)")
            #expect(!simulated.isOpen)
            #expect(!simulated.isInBatch)
        }
    }

    @Test("A descriptor that is no vhost-vdpa device is refused and stays open, as it was")
    func wrongFile() throws {
        for path in ["/dev/null", "/proc/self/mem"] {
            let descriptor = unsafe open(path, O_RDWR)
            try #require(descriptor >= 0)
            for duplicating in [false, true] {
                let error = dmaFailure(
                    try VDPADevice(adopting: descriptor, duplicating: duplicating))
                #expect(error?.code == .invalidArgument)
                #expect(error?.message.contains("not of a vhost-vdpa device") == true)
                #expect(fcntl(descriptor, F_GETFD) == 0, "open, and not close-on-exec")
            }
            Glibc.close(descriptor)
        }
    }

    @Test("A descriptor that is closed or for reading only is refused as that")
    func unusableDescriptor() throws {
        for number: Int32 in [-1, 1 << 20] {
            let error = dmaFailure(try VDPADevice(adopting: number))
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains("is not open") == true)
        }
        let descriptor = unsafe open("/dev/null", O_RDONLY)
        let error = dmaFailure(try VDPADevice(adopting: descriptor))
        #expect(error?.message.contains("reading only") == true)
        #expect(fcntl(descriptor, F_GETFD) == 0)
        Glibc.close(descriptor)
    }

    @Test("A lent descriptor is closed only once it is kept, and is then close-on-exec")
    func lending() throws {
        let descriptor = unsafe open("/dev/null", O_RDWR)
        try #require(descriptor >= 0)
        do {
            let lent = LentDeviceFile(descriptor)
            #expect(unsafe lent.ioctl(0x8004_af70, nil) == -ENOTTY)
        }
        #expect(fcntl(descriptor, F_GETFD) == 0)
        let kept = LentDeviceFile(descriptor)
        kept.keep()
        #expect(fcntl(descriptor, F_GETFD) == FD_CLOEXEC)
        #expect(kept.close() == 0)
        #expect(kept.close() == -EBADF)
    }
}

/// A file that its user does not close.
private final class Borrowed: DeviceFile {
    private let file: any DeviceFile

    init(_ file: any DeviceFile) { self.file = file }

    func ioctl(_ request: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
        unsafe file.ioctl(request, argument)
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Int { unsafe file.write(bytes) }

    func close() -> Int32 { 0 }
}

/// A page of this process.
private final class Page {
    let address = UInt(
        bitPattern: UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 4096))
    deinit { unsafe UnsafeMutableRawPointer(bitPattern: address)?.deallocate() }
}
