import CVhostVDPA
import Glibc
import IOVAAllocator
import Testing
import VDPASimulator

/// The device between DRIVER_OK and a reset, as a model of it sees it.
@Suite struct RunningDeviceTests {
    private static let kinds: [SimulatedDevice.Configuration] = [
        .vdpaSimBlock(), .vpVDPA(), .vduse(),
    ]

    /// A device whose queue 0 is enabled, with a page at 0x10000.
    private static func start(_ kind: Int, _ pages: SharedPages) -> Driver {
        let driver = Driver(kinds[kind])
        #expect(driver.update(0x10000, 4096, pages[0]) == 72)
        var features: UInt64 = 1 << 32 | 1 << 33
        #expect(driver.setStatus(3) == 0)
        #expect(driver.call(CVHOST_SET_FEATURES, &features) == 0)
        #expect(driver.setStatus(0xb) == 0)
        #expect(driver.ring(CVHOST_SET_VRING_NUM, 0, 16) == 0)
        #expect(driver.ring(CVHOST_VDPA_SET_VRING_ENABLE, 0, 1) == 0)
        #expect(driver.device.running == nil, "before DRIVER_OK")
        #expect(driver.setStatus(0xf) == 0)
        return driver
    }

    @Test(arguments: kinds.indices)
    func `it reads, writes and moves its index until it is reset, and nothing after`(
        _ kind: Int
    ) throws {
        let pages = SharedPages(1)
        let driver = RunningDeviceTests.start(kind, pages)
        let running = try #require(driver.device.running)
        #expect(running.isRunning)
        #expect(running.driverFeatures == 1 << 32 | 1 << 33)
        #expect(running.ring(0)?.size == 16)
        #expect(running.ring(99) == nil)
        #expect(running.write([1, 2], at: IOVA(0x10000), queue: 0))
        #expect(running.read(IOVA(0x10000), byteCount: 2, queue: 0) == [1, 2])
        running.setAvailableIndex(5, ofQueue: 0)
        #expect(driver.device.ring(0).availableIndex == 5)

        #expect(driver.setStatus(0) == 0)
        #expect(!running.isRunning)
        #expect(running.ring(0) == nil)
        #expect(!running.write([9, 9], at: IOVA(0x10000), queue: 0))
        #expect(running.read(IOVA(0x10000), byteCount: 2, queue: 0) == nil)
        #expect(pages.bytes(at: 0, count: 2) == [1, 2])
        #expect(driver.device.faults.isEmpty, "a device that was reset makes no access")
        #expect(driver.device.running == nil)
    }

    @Test func `an access that is not mapped is a fault as ever`() throws {
        let pages = SharedPages(1)
        let driver = RunningDeviceTests.start(0, pages)
        let running = try #require(driver.device.running)
        #expect(!running.write([1], at: IOVA(0x20000), queue: 0))
        #expect(driver.device.faults.map(\.reason) == [.unmapped])
    }

    @Test func `a kick is awaited once, and a call is signalled`() throws {
        let pages = SharedPages(1)
        let driver = RunningDeviceTests.start(0, pages)
        let running = try #require(driver.device.running)
        #expect(!running.awaitKick(queue: 0, milliseconds: 1), "no event is bound")
        #expect(!running.interrupt(queue: 0), "no event is bound")
        // Looked up at run time: Swift's Glibc module has no sys/eventfd.h.
        let eventfd = unsafe unsafeBitCast(
            dlsym(nil, "eventfd"), to: (@convention(c) (UInt32, Int32) -> Int32).self)
        let (kick, call) = (eventfd(1, O_NONBLOCK), eventfd(0, O_NONBLOCK))
        defer { _ = (close(kick), close(call)) }
        #expect(driver.ring(CVHOST_SET_VRING_KICK, 0, UInt32(bitPattern: kick)) == 0)
        #expect(driver.ring(CVHOST_SET_VRING_CALL, 0, UInt32(bitPattern: call)) == 0)
        #expect(running.awaitKick(queue: 0, milliseconds: 1000))
        #expect(!running.awaitKick(queue: 0, milliseconds: 1), "it was taken")
        #expect(running.interrupt(queue: 0))
        var count: UInt64 = 0
        #expect(unsafe read(call, &count, 8) == 8)
        #expect(count == 1)
    }
}
