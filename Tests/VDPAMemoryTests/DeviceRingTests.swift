import IOVAAllocator
import Testing
import VDPAMemory
import VDPASimulator
import VhostVDPA

@Suite("Device: ring addresses against the ledger")
struct DeviceRingTests {
    let simulated: SimulatedDevice
    let file: WatchedFile
    let device: VDPADevice
    let ledger = FakeLedger()
    /// Areas of a split queue of 16 entries: 256, 38 and 134 bytes.
    let addresses = ring(0x10000, 0x11000, 0x12000)
    let areas = [
        IOVARange(first: 0x10000, last: 0x100ff), IOVARange(first: 0x11000, last: 0x11025),
        IOVARange(first: 0x12000, last: 0x12085),
    ]

    init() throws {
        simulated = SimulatedDevice(.vdpaSimNet(kernel: .v6_12))
        file = WatchedFile(simulated)
        device = try VDPADevice(file: file, traits: DeviceTraits(of: simulated))
        try device.claim(addressSpace: 0, ledger: ledger)
        try device.setQueueSize(16, ofQueue: 0)
    }

    private func mapAreas() {
        ledger.map(areas[0], .readOnly)
        ledger.map(areas[1], .readOnly)
        ledger.map(areas[2], .writeOnly)
    }

    @Test("A split ring needs exactly its three areas, each for what the device does there")
    func splitExact() throws {
        mapAreas()
        try device.setRingAddresses(addresses, ofQueue: 0)
        #expect(simulated.ring(0).descriptors == 0x10000)
        #expect(simulated.ring(0).driverArea == 0x11000)
        #expect(simulated.ring(0).deviceArea == 0x12000)
    }

    @Test(
        "One byte short, or mapped for the wrong direction, is refused before the call, by name",
        arguments: 0..<3)
    func splitShort(missing: Int) throws {
        let names = ["descriptor table", "available ring", "used ring"]
        let needed: [DMAAccess] = [.readOnly, .readOnly, .writeOnly]
        let wrong: [DMAAccess] = [.writeOnly, .writeOnly, .readOnly]
        for isShort in [true, false] {
            ledger.unmapEverything()
            for index in 0..<3 where index != missing { ledger.map(areas[index], needed[index]) }
            if isShort {
                let last = areas[missing].last.rawValue - 1
                ledger.map(IOVARange(first: areas[missing].first, last: IOVA(last)))
            } else {
                ledger.map(areas[missing], wrong[missing])
            }
            let error = dmaFailure(try device.setRingAddresses(addresses, ofQueue: 0))
            #expect(error?.code == .unsafeControl)
            #expect(error?.range == areas[missing])
            #expect(error?.message.contains(names[missing]) == true)
            #expect(error?.remedy.isEmpty == false)
        }
        #expect(simulated.ring(0).descriptors == 0)
        #expect(!requested(.setVringAddr))
    }

    @Test("A packed ring's descriptors are written back, its event areas have 4 bytes")
    func packed() throws {
        let ranges = [
            areas[0], IOVARange(first: 0x11000, last: 0x11003),
            IOVARange(first: 0x12000, last: 0x12003),
        ]
        ledger.map(ranges[0], .readOnly)
        ledger.map(ranges[1], .readOnly)
        ledger.map(ranges[2], .writeOnly)
        let error = dmaFailure(
            try device.setRingAddresses(addresses, ofQueue: 0, layout: .packed))
        #expect(error?.range == ranges[0])
        ledger.map(ranges[0], .readWrite)
        try device.setRingAddresses(addresses, ofQueue: 0, layout: .packed)
        try device.setQueueEnabled(true, ofQueue: 0)
        #expect(device.enabledRings(addressSpace: 0) == ranges)
    }

    @Test("A queue whose size nobody set is taken for the largest")
    func assumedSize() throws {
        ledger.map(IOVARange(first: 0x10000, last: 0x12fff))
        let tight = ring(0x12000, 0x11000, 0x10000)
        try device.setRingAddresses(tight, ofQueue: 1)
        let beyond = ring(0x12010, 0x11000, 0x10000)
        let error = dmaFailure(try device.setRingAddresses(beyond, ofQueue: 1))
        #expect(error?.range == IOVARange(first: 0x12010, last: 0x1300f))
    }

    @Test("An area past 2^64-1 is refused whether it is checked or not", arguments: [true, false])
    func wraps(checked: Bool) throws {
        let addresses = VringAddresses(
            descriptors: IOVA(UInt64.max - 0xef), available: IOVA(0), used: IOVA(0))
        let error = dmaFailure(
            try device.setRingAddresses(addresses, ofQueue: 0, checked: checked))
        #expect(error?.code == .unsafeControl)
        #expect(!requested(.setVringAddr))
    }

    @Test("Where no domain maps, only an unchecked address goes through")
    func noDomain() throws {
        device.release(addressSpace: 0)
        let error = dmaFailure(try device.setRingAddresses(addresses, ofQueue: 0))
        #expect(error?.code == .unsafeControl)
        #expect(error?.message.contains("no domain") == true)
        try device.setRingAddresses(addresses, ofQueue: 0, checked: false)
        #expect(simulated.ring(0).descriptors == 0x10000)
        #expect(dmaFailure(try device.setQueueEnabled(true, ofQueue: 0))?.code == .unsafeControl)
        try device.setQueueEnabled(true, ofQueue: 0, checked: false)
        #expect(device.enabledRings(addressSpace: 0) == areas)
    }

    @Test("Enabling looks again, and needs addresses")
    func enabling() throws {
        let error = dmaFailure(try device.setQueueEnabled(true, ofQueue: 0))
        #expect(error?.code == .unsafeControl)
        mapAreas()
        try device.setRingAddresses(addresses, ofQueue: 0)
        ledger.unmapEverything()
        #expect(dmaFailure(try device.setQueueEnabled(true, ofQueue: 0))?.code == .unsafeControl)
        #expect(!simulated.ring(0).isEnabled)
        #expect(device.enabledRings(addressSpace: 0) == [])
        mapAreas()
        try device.setQueueEnabled(true, ofQueue: 0)
        #expect(simulated.ring(0).isEnabled)
        #expect(device.enabledRings(addressSpace: 0) == areas)
    }

    @Test("Disabling works whatever is mapped, and a reset forgets everything")
    func disabling() throws {
        mapAreas()
        try device.setRingAddresses(addresses, ofQueue: 0)
        try device.setQueueEnabled(true, ofQueue: 0)
        ledger.unmapEverything()
        try device.setQueueEnabled(false, ofQueue: 0)
        #expect(device.enabledRings(addressSpace: 0) == [])
        mapAreas()
        try device.setQueueEnabled(true, ofQueue: 0)
        try device.reset()
        #expect(device.enabledRings(addressSpace: 0) == [])
        #expect(dmaFailure(try device.setQueueEnabled(true, ofQueue: 0))?.code == .unsafeControl)
    }

    @Test("An enabled queue cannot outgrow its regions")
    func growing() throws {
        mapAreas()
        try device.setRingAddresses(addresses, ofQueue: 0)
        try device.setQueueSize(32, ofQueue: 0, checked: false)
        try device.setQueueSize(16, ofQueue: 0)
        try device.setQueueEnabled(true, ofQueue: 0)
        #expect(dmaFailure(try device.setQueueSize(32, ofQueue: 0))?.code == .unsafeControl)
        #expect(simulated.ring(0).size == 16)
        #expect(device.enabledRings(addressSpace: 0) == areas)
    }

    @Test("The group's address space decides whose ledger is asked")
    func groups() throws {
        let other = FakeLedger()
        try device.claim(addressSpace: 1, ledger: other)
        try device.setGroup(1, addressSpace: 1)
        #expect(simulated.addressSpace(ofQueue: 2) == 1)
        try device.setQueueSize(16, ofQueue: 2)
        mapAreas()
        #expect(dmaFailure(try device.setRingAddresses(addresses, ofQueue: 2)) != nil)
        other.map(IOVARange(first: 0x10000, last: 0x12fff))
        try device.setRingAddresses(addresses, ofQueue: 2)
        try device.setQueueEnabled(true, ofQueue: 2)
        #expect(device.enabledRings(addressSpace: 0) == [])
        #expect(device.enabledRings(addressSpace: 1) == areas)
    }

    @Test("A group with enabled rings moves only to where they are mapped")
    func movingGroup() throws {
        mapAreas()
        try device.setRingAddresses(addresses, ofQueue: 0)
        try device.setQueueEnabled(true, ofQueue: 0)
        let other = FakeLedger()
        try device.claim(addressSpace: 1, ledger: other)
        #expect(dmaFailure(try device.setGroup(0, addressSpace: 1))?.code == .unsafeControl)
        #expect(simulated.addressSpace(ofQueue: 0) == 0)
        #expect(device.enabledRings(addressSpace: 0) == areas)
        other.map(IOVARange(first: 0x10000, last: 0x12fff))
        try device.setGroup(0, addressSpace: 1)
        #expect(device.enabledRings(addressSpace: 0) == [])
        #expect(device.enabledRings(addressSpace: 1) == areas)
        try device.reset()
        #expect(simulated.addressSpace(ofQueue: 0) == 0)
    }

    @Test("An address space or a group that does not exist changes nothing")
    func badGroup() throws {
        #expect(dmaFailure(try device.setGroup(0, addressSpace: 2))?.code == .invalidArgument)
        #expect(dmaFailure(try device.setGroup(2, addressSpace: 0))?.code == .invalidArgument)
        #expect(dmaFailure(try device.setGroup(3, addressSpace: 0))?.code == .invalidArgument)
        mapAreas()
        try device.setRingAddresses(addresses, ofQueue: 0)
    }

    @Test("A device without groups has its rings in address space 0")
    func noGroups() throws {
        let simulated = SimulatedDevice(.vpVDPA())
        let device = try VDPADevice(simulated)
        #expect(dmaFailure(try device.group(ofQueue: 0))?.code == .notSupported)
        try device.claim(addressSpace: 0, ledger: ledger)
        try device.setQueueSize(16, ofQueue: 0)
        mapAreas()
        try device.setRingAddresses(addresses, ofQueue: 0)
        #expect(simulated.ring(0).descriptors == 0x10000)
    }

    @Test("What the kernel refuses is not recorded")
    func refusedByKernel() throws {
        mapAreas()
        try device.setRingAddresses(addresses, ofQueue: 0)
        file.refuse(.setVringEnable, errno: 5)
        #expect(dmaFailure(try device.setQueueEnabled(true, ofQueue: 0))?.code == .deviceGone)
        #expect(device.enabledRings(addressSpace: 0) == [])
        let misaligned = ring(0x10000, 0x11001, 0x12000)
        ledger.map(IOVARange(first: 0x10000, last: 0x12fff))
        #expect(
            dmaFailure(try device.setRingAddresses(misaligned, ofQueue: 0))?.code
                == .invalidArgument)
        file.refuse(.setVringEnable, errno: 0)
        try device.setQueueEnabled(true, ofQueue: 0)
        #expect(device.enabledRings(addressSpace: 0) == areas)
    }

    @Test("While a domain is asked, the rings already count as in use")
    func pending() throws {
        let seen = Seen()
        let device = try VDPADevice.simulated(.vdpaSimNet(kernel: .v6_12))
        let curious = FakeLedger(IOVARange(first: 0x10000, last: 0x12fff)) { [weak device] in
            seen.rings.append(device?.enabledRings(addressSpace: 0) ?? [])
        }
        try device.claim(addressSpace: 0, ledger: curious)
        try device.setQueueSize(16, ofQueue: 0)
        try device.setRingAddresses(addresses, ofQueue: 0)
        #expect(seen.rings == [areas, areas, areas])
        #expect(device.enabledRings(addressSpace: 0) == [])
    }

    /// Touched by one thread only: the ledger is asked on the caller's.
    private final class Seen: @unchecked Sendable { var rings: [[IOVARange]] = [] }

    private func requested(_ operation: VhostOperation) -> Bool {
        operation.request.map { file.requests.contains($0) } ?? false
    }
}

private func ring(_ descriptors: UInt64, _ available: UInt64, _ used: UInt64) -> VringAddresses {
    VringAddresses(
        descriptors: IOVA(descriptors), available: IOVA(available), used: IOVA(used))
}
