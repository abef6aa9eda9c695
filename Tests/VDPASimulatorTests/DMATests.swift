import CVhostVDPA
import IOVAAllocator
import Testing
import VDPASimulator
import VhostVDPA

/// Every kind of parent: the device's side behaves the same.
private let kinds: [SimulatedDevice.Configuration] = [
    .vdpaSimNet(), .vdpaSimNet(batchMapping: false), .vpVDPA(), .vduse(),
]

@Suite struct DMATests {
    @Test(arguments: kinds.indices)
    func `the device reads and writes the memory behind an IOVA`(_ kind: Int) {
        let driver = Driver(kinds[kind])
        let pages = SharedPages(2)
        #expect(driver.update(0x10000, 8192, pages[0]) == 72)
        pages.fill(at: 4094, [1, 2, 3, 4])
        #expect(driver.device.read(IOVA(0x10ffe), byteCount: 4) == [1, 2, 3, 4])
        #expect(driver.device.write([9, 8, 7], at: IOVA(0x10fff)))
        #expect(pages.bytes(at: 4094, count: 4) == [1, 9, 8, 7])
        #expect(driver.device.faults.isEmpty)
    }

    @Test(arguments: kinds.indices)
    func `an access beyond the mapping changes nothing and is recorded`(_ kind: Int) {
        let driver = Driver(kinds[kind])
        let pages = SharedPages(2)
        #expect(driver.update(0x10000, 4096, pages[0]) == 72)
        #expect(!driver.device.write([UInt8](repeating: 7, count: 8), at: IOVA(0x10ffc)))
        #expect(pages.bytes(at: 0, count: 8192).allSatisfy { $0 == 0 })
        #expect(driver.device.read(IOVA(0xffff), byteCount: 2) == nil)
        #expect(
            driver.device.faults == [
                DMAFault(
                    iova: IOVA(0x11000), byteCount: 8, kind: .write, reason: .unmapped,
                    addressSpace: 0),
                DMAFault(
                    iova: IOVA(0xffff), byteCount: 2, kind: .read, reason: .unmapped,
                    addressSpace: 0),
            ])
        driver.device.clearFaults()
        #expect(driver.device.faults.isEmpty)
    }

    @Test(arguments: kinds.indices)
    func `use after unmap is caught`(_ kind: Int) {
        let driver = Driver(kinds[kind])
        let pages = SharedPages(1)
        #expect(driver.update(0x10000, 4096, pages[0]) == 72)
        #expect(driver.invalidate(0x10000, 4096) == 72)
        #expect(!driver.device.write([7], at: IOVA(0x10000)))
        #expect(pages.bytes(at: 0, count: 1) == [0])
        #expect(driver.device.faults.map(\.reason) == [.unmapped])
    }

    @Test(arguments: kinds.indices)
    func `permissions hold`(_ kind: Int) {
        let driver = Driver(kinds[kind])
        let pages = SharedPages(2)
        #expect(driver.update(0x10000, 4096, pages[0], access: 1) == 72)
        #expect(driver.update(0x20000, 4096, pages[1], access: 2) == 72)
        #expect(driver.device.read(IOVA(0x10000), byteCount: 1) == [0])
        #expect(!driver.device.write([7], at: IOVA(0x10000)))
        #expect(driver.device.write([7], at: IOVA(0x20000)))
        #expect(driver.device.read(IOVA(0x20000), byteCount: 1) == nil)
        #expect(driver.device.faults.map(\.reason) == [.notPermitted, .notPermitted])
        #expect(pages.bytes(at: 0, count: 1) == [0])
    }

    @Test func `an access at the end of all addresses does not wrap`() {
        let driver = Driver()
        let pages = SharedPages(1)
        #expect(driver.update(.max - 0xfff, 4096, pages[0]) == 72)
        #expect(driver.device.write([5], at: IOVA(.max)))
        #expect(pages.bytes(at: 4095, count: 1) == [5])
        #expect(!driver.device.write([5, 6], at: IOVA(.max)))
        #expect(driver.device.faults.map(\.reason) == [.unmapped])
    }

    @Test func `memory that the process has unmapped is a fault, not a crash`() {
        let driver = Driver()
        var pages: SharedPages? = SharedPages(1)
        #expect(driver.update(0x10000, 4096, pages![0]) == 72)
        pages = nil
        #expect(driver.device.read(IOVA(0x10000), byteCount: 1) == nil)
        #expect(!driver.device.write([1], at: IOVA(0x10000)))
        #expect(driver.device.faults.map(\.reason) == [.memoryGone, .memoryGone])
    }

    @Test func `a queue's accesses go through its group's address space`() {
        let driver = Driver()
        let pages = SharedPages(2)
        #expect(driver.update(0x10000, 4096, pages[0], asid: 0) == 72)
        #expect(driver.update(0x10000, 4096, pages[1], asid: 1) == 72)
        #expect(driver.device.addressSpace(ofQueue: 2) == 0)
        #expect(driver.ring(CVHOST_VDPA_SET_GROUP_ASID, 1, 1) == 0)
        #expect((0..<3).map { driver.device.addressSpace(ofQueue: $0) } == [0, 0, 1])
        let space = driver.device.addressSpace(ofQueue: 2)
        #expect(driver.device.write([3], at: IOVA(0x10000), addressSpace: space))
        #expect(pages.bytes(at: 0, count: 1) == [0])
        #expect(pages.bytes(at: 4096, count: 1) == [3])
    }

    @Test func `an address space that is not there faults`() {
        let driver = Driver()
        #expect(driver.device.read(IOVA(0), byteCount: 1, addressSpace: 9) == nil)
        #expect(driver.device.faults.map(\.addressSpace) == [9])
    }

    @Test func `in a batch the device keeps its old table until the end`() {
        let driver = Driver()
        let pages = SharedPages(2)
        #expect(driver.update(0x10000, 4096, pages[0]) == 72)
        #expect(driver.begin() == 72)
        #expect(driver.device.isInBatch)
        #expect(driver.update(0x20000, 4096, pages[1]) == 72)
        #expect(driver.invalidate(0x10000, 4096) == 72)
        #expect(driver.device.pinnedByteCount == 4096, "unpinned at once")
        #expect(driver.device.read(IOVA(0x10000), byteCount: 1) == [0], "and still translated")
        #expect(driver.device.read(IOVA(0x20000), byteCount: 1) == nil)
        #expect(driver.end() == 72)
        #expect(driver.device.kernelEntries() == driver.device.deviceEntries())
        #expect(driver.device.deviceEntries().map(\.range.first) == [IOVA(0x20000)])
    }

    @Test(arguments: [ParentKind.dmaMap, .platformIOMMU])
    func `elsewhere a batch changes nothing`(_ kind: ParentKind) {
        let driver = Driver(kind == .dmaMap ? .vdpaSimNet(batchMapping: false) : .vpVDPA())
        let pages = SharedPages(1)
        #expect(driver.begin() == 72)
        #expect(driver.update(0x20000, 4096, pages[0]) == 72)
        #expect(driver.device.read(IOVA(0x20000), byteCount: 1) == [0])
    }

    @Test func `after a reset the kernel's table and vdpa_sim's differ`() {
        let driver = Driver()
        let pages = SharedPages(1)
        #expect(driver.update(0x10000, 4096, pages[0]) == 72)
        #expect(driver.setStatus(0) == 0)
        #expect(driver.device.kernelEntries().count == 1)
        #expect(driver.device.deviceEntries().isEmpty)
        #expect(driver.begin() == 72)
        #expect(driver.end() == 72)
        #expect(driver.device.deviceEntries().count == 1, "an empty batch pushes the whole table")
    }

    @Test(arguments: [SimulatedDevice.Configuration.vpVDPA(), .vduse()].indices)
    func `after a reset the others translate as before`(_ index: Int) {
        let driver = Driver([SimulatedDevice.Configuration.vpVDPA(), .vduse()][index])
        let pages = SharedPages(1)
        #expect(driver.update(0x10000, 4096, pages[0]) == 72)
        #expect(driver.setStatus(0) == 0)
        #expect(driver.device.read(IOVA(0x10000), byteCount: 1) == [0])
    }

    @Test func `close forgets all mappings and pins`() {
        let driver = Driver()
        let pages = SharedPages(1)
        #expect(driver.update(0x10000, 4096, pages[0]) == 72)
        #expect(driver.file.close() == 0)
        #expect(driver.device.mappingSnapshot.kernel == [[], []])
        #expect(driver.device.mappingSnapshot.device == [[], []])
        #expect(driver.device.pinnedByteCount == 0)
        #expect(!driver.device.isOpen)
        #expect(driver.file.close() == -EBADF)
    }
}
