import Testing
import VDPAMemory
import VDPASimulator

@Suite("Device: address spaces belong to one domain each")
struct DeviceClaimTests {
    @Test("A second claim is refused until the first is released")
    func secondClaim() throws {
        let device = try VDPADevice.simulated()
        let (first, second) = (FakeLedger(), FakeLedger())
        try device.claim(addressSpace: 0, ledger: first)
        #expect(
            dmaFailure(try device.claim(addressSpace: 0, ledger: second))?.code == .addressSpace)
        #expect(
            dmaFailure(try device.claim(addressSpace: 0, ledger: first))?.code == .addressSpace)
        try device.claim(addressSpace: 1, ledger: second)
        device.release(addressSpace: 0)
        try device.claim(addressSpace: 0, ledger: second)
    }

    @Test("An address space that the device does not have cannot be claimed")
    func noSuchSpace() throws {
        let device = try VDPADevice.simulated()
        let error = dmaFailure(try device.claim(addressSpace: 2, ledger: FakeLedger()))
        #expect(error?.code == .addressSpace)
        #expect(error?.limit == 2)
    }

    @Test("A claim does not keep its domain alive, and outlives it until released")
    func weakness() throws {
        let device = try VDPADevice.simulated()
        weak var watched: FakeLedger?
        do {
            let ledger = FakeLedger()
            watched = ledger
            try device.claim(addressSpace: 0, ledger: ledger)
            #expect(watched != nil)
        }
        #expect(watched == nil)
        let next = FakeLedger()
        #expect(dmaFailure(try device.claim(addressSpace: 0, ledger: next)) != nil)
        device.release(addressSpace: 0)
        try device.claim(addressSpace: 0, ledger: next)
    }
}
