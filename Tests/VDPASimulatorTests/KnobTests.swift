import CVhostVDPA
import Glibc
import IOVAAllocator
import Testing
import VDPASimulator
import VhostVDPA

@Suite struct KnobTests {
    @Test func `an UPDATE below the first address or over the last is EFAULT`() {
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.iovaRange = IOVARange(first: 0x10000, last: 0x1ffff)
        let driver = Driver(configuration)
        let pages = SharedPages(2)
        #expect(driver.update(0xf000, 4096, pages[0]) == Int(-EFAULT))
        #expect(driver.update(0xffff, 4096, pages[0]) == Int(-EFAULT))
        #expect(driver.update(0x20000, 4096, pages[0]) == Int(-EFAULT))
        #expect(driver.update(0x1f000, 8192, pages[0]) == Int(-EFAULT))
        #expect(driver.update(0x10000, 4096, pages[0]) == 72)
        #expect(driver.update(0x1f000, 4096, pages[1]) == 72)
    }

    @Test(arguments: [
        (PhysicalContiguity.size4KiB, [4096, 4096, 4096, 4096]),
        (.runs([4096, 12288]), [4096, 12288]), (.contiguous, [16384]),
    ])
    func `one entry for each physically contiguous run`(
        _ contiguity: PhysicalContiguity, _ expected: [UInt64]
    ) {
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.contiguity = contiguity
        let driver = Driver(configuration)
        let pages = SharedPages(4)
        #expect(driver.update(0x10000, 16384, pages[0]) == 72)
        #expect(driver.device.kernelEntries().map(\.range.byteCount) == expected)
        #expect(driver.invalidate(0x10000, 1) == 72)
        #expect(driver.device.kernelEntries().count == expected.count - 1, "one whole run goes")
    }

    @Test func `blocks end where the address is a multiple of their size`() {
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.contiguity = .pages(8192)
        let driver = Driver(configuration)
        let pages = SharedPages(4)
        let first = pages[0] % 8192 == 0 ? 1 : 0
        #expect(driver.update(0x10000, 3 * 4096, pages[first]) == 72)
        #expect(driver.device.kernelEntries().map(\.range.byteCount) == [4096, 8192])
    }

    @Test func `the entry limit counts runs and undoes a refused UPDATE`() {
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.contiguity = .size4KiB
        configuration.entryLimit = 3
        let driver = Driver(configuration)
        let pages = SharedPages(4)
        let before = driver.device.mappingSnapshot
        #expect(driver.update(0x10000, 4 * 4096, pages[0]) == Int(-EFAULT))
        #expect(driver.device.mappingSnapshot == before)
        #expect(driver.update(0x10000, 3 * 4096, pages[0]) == 72)
    }

    @Test func `what others have pinned counts against the limit`() {
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.lockedMemoryLimit = 16 * 4096
        let driver = Driver(configuration)
        let pages = SharedPages(4)
        driver.device.externallyPinnedByteCount = 13 * 4096
        #expect(driver.update(0x10000, 4 * 4096, pages[0]) == Int(-EFAULT))
        #expect(driver.device.pinnedByteCount == 13 * 4096)
        #expect(driver.update(0x10000, 3 * 4096, pages[0]) == 72)
        #expect(driver.device.pinnedByteCount == 16 * 4096)
        driver.device.lockedMemoryLimit = nil
        #expect(driver.update(0x20000, 4096, pages[3]) == 72)
    }

    @Test func `one mapping by virtual address makes one entry for each area`() {
        let driver = Driver(.vduse())
        let first = SharedPages(2)
        #expect(driver.update(0x10000, 8192, first[0]) == 72)
        #expect(driver.device.kernelEntries().map(\.range.byteCount) == [8192])
        #expect(driver.device.pinnedByteCount == 0)
    }

    @Test func `a ring keeps what it was given and close lets its events go`() {
        let driver = Driver()
        var address = vhost_vring_addr(
            index: 1, flags: 0, desc_user_addr: 0x1000, used_user_addr: 0x3000,
            avail_user_addr: 0x2000, log_guest_addr: 0)
        #expect(driver.ring(CVHOST_SET_VRING_NUM, 1, 128) == 0)
        #expect(driver.call(CVHOST_SET_VRING_ADDR, &address) == 0)
        #expect(driver.ring(CVHOST_SET_VRING_BASE, 1, 7) == 0)
        #expect(driver.ring(CVHOST_VDPA_SET_VRING_ENABLE, 1, 1) == 0)
        var expected = SimulatedRing()
        expected.size = 128
        expected.descriptors = 0x1000
        expected.driverArea = 0x2000
        expected.deviceArea = 0x3000
        expected.availableIndex = 7
        expected.usedIndex = 7
        expected.isEnabled = true
        #expect(driver.device.ring(1) == expected)
        #expect(!driver.device.interrupt(queue: 1), "nothing is bound")
        driver.file.close()
        #expect(driver.device.ring(1) == SimulatedRing())
    }

    @Test func `an interrupt reaches an eventfd whose number was closed, until the file is`() {
        // Looked up at run time: Swift's Glibc module has no sys/eventfd.h. Safe: its own type.
        let eventfd = unsafe unsafeBitCast(
            dlsym(nil, "eventfd"), to: (@convention(c) (UInt32, Int32) -> Int32).self)
        let given = eventfd(0, O_CLOEXEC | O_NONBLOCK)
        let kept = dup(given)
        defer { _ = close(kept) }
        let driver = Driver()
        #expect(driver.ring(CVHOST_SET_VRING_CALL, 0, UInt32(bitPattern: given)) == 0)
        #expect(driver.device.ring(0).call == given)
        #expect(close(given) == 0)
        #expect(driver.device.interrupt(queue: 0))
        var count: UInt64 = 0
        #expect(unsafe read(kept, &count, 8) == 8)
        #expect(count == 1)
        driver.file.close()
        #expect(!driver.device.interrupt(queue: 0))
    }

    @Test func `presets have the kinds and sizes of the kernel's devices`() {
        let net = SimulatedDevice().configuration
        #expect(net.kind == .setMap && net.queueCount == 3 && net.addressSpaceCount == 2)
        let block = SimulatedDevice(.vdpaSimBlock()).configuration
        #expect(block.queueCount == 1 && block.deviceID == 2)
        #expect(SimulatedDevice(.vpVDPA()).configuration.iovaRange.last == IOVA(1 << 48 - 1))
        #expect(SimulatedDevice(.vduse()).usesVirtualAddresses)
        #expect(SimulatedDevice(.vpVDPA()).reservedWindows.count == 1)
        #expect(SimulatedDevice().numaNode == nil)
        #expect(SimulatedDevice().entryLimit == 2048)
    }

    @Test func `calls from many threads are each answered whole`() async {
        let driver = Driver()
        let pages = SharedPages(8)
        let file = driver.file
        let addresses = (0..<8).map { pages[$0] }
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    for round in UInt64(0)..<50 {
                        let iova = UInt64(worker) << 32 | round << 12
                        var message = cvhost_message_v2(
                            0, 2, iova, 4096, UInt64(addresses[worker]), 3)
                        let answer = unsafe withUnsafeBytes(of: &message) { unsafe file.write($0) }
                        #expect(answer == 72)
                    }
                }
            }
        }
        #expect(driver.device.kernelEntries().count == 400)
        #expect(driver.device.kernelEntries() == driver.device.deviceEntries())
    }
}
