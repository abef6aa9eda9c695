import CVhostVDPA
import IOVAAllocator
import Testing
import VDPASimulator

@Suite struct FaultPlanTests {
    @Test func `each call can be made to fail, and fails without effect`() {
        // SET_OWNER, two backend feature calls, then what follows.
        func run(_ driver: Driver, _ pages: SharedPages) -> [Int] {
            [
                driver.begin(), driver.update(0x1000, 4096, pages[0]),
                driver.update(0x2000, 4096, pages[1]), driver.end(), Int(driver.setStatus(0)),
            ]
        }
        let pages = SharedPages(2)
        let whole = Driver()
        let before = whole.device.calls
        #expect(run(whole, pages) == [72, 72, 72, 72, 0])
        #expect(whole.device.calls == before + 5)
        for step in 0..<5 {
            let driver = Driver()
            driver.device.failCall(before + 1 + step, errno: EIO)
            let answers = run(driver, pages)
            #expect(answers[step] == Int(-EIO))
            #expect(driver.device.kernelEntries().count == (step == 1 || step == 2 ? 1 : 2))
            #expect(driver.device.isInBatch == (step == 3))
        }
    }

    @Test func `the nth ioctl, write and UPDATE are counted apart`() {
        let driver = Driver()
        let pages = SharedPages(1)
        let ioctls = driver.device.count(of: .ioctl)
        driver.device.fail(.ioctl, number: ioctls + 2, errno: EINTR)
        driver.device.fail(.write, number: 1, errno: ENOMEM)
        driver.device.fail(.update, number: 2, errno: EFAULT)
        #expect(driver.setStatus(0) == 0)
        #expect(driver.setStatus(0) == -EINTR)
        #expect(driver.begin() == Int(-ENOMEM))
        #expect(driver.update(0x1000, 4096, pages[0]) == 72)
        #expect(driver.update(0x2000, 4096, pages[0]) == Int(-EFAULT))
        #expect(driver.update(0x2000, 4096, pages[0]) == 72)
        #expect(driver.device.count(of: .update) == 3)
        #expect(driver.device.messageCount(.update) == 3)
        #expect(driver.device.messageCount(.batchBegin) == 0)
    }

    @Test(arguments: [FaultPoint.pin, .parentMap])
    func `a failed pin or parent map is EFAULT and leaves nothing`(_ point: FaultPoint) {
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.contiguity = .runs([4096, 8192])
        let pages = SharedPages(6)
        for number in 1...(point == .pin ? 1 : 4) {
            let driver = Driver(configuration)
            let before = driver.device.mappingSnapshot
            driver.device.fail(point, number: number, errno: ENOMEM)
            #expect(driver.update(0x10000, 6 * 4096, pages[0]) == Int(-EFAULT))
            #expect(driver.device.mappingSnapshot == before)
            #expect(driver.update(0x10000, 6 * 4096, pages[0]) == 72)
            #expect(driver.device.kernelEntries().count == 4)
        }
    }

    @Test func `a set_map that fails at BATCH_END is invisible and empties the device`() {
        let driver = Driver()
        let pages = SharedPages(2)
        #expect(driver.update(0x1000, 4096, pages[0]) == 72)
        driver.device.failNext(.batchEndSetMap, errno: ENOMEM)
        #expect(driver.begin() == 72)
        #expect(driver.update(0x2000, 4096, pages[1]) == 72)
        #expect(driver.end() == 72)
        #expect(driver.device.kernelEntries().count == 2)
        #expect(driver.device.deviceEntries().isEmpty)
        #expect(driver.device.read(IOVA(0x1000), byteCount: 1) == nil)
        #expect(!driver.device.isInBatch)
    }

    @Test func `a device that is gone answers ENODEV until the plan is cleared`() {
        let driver = Driver()
        let pages = SharedPages(1)
        #expect(driver.update(0x1000, 4096, pages[0]) == 72)
        driver.device.disappear(atCall: driver.device.calls + 2)
        #expect(driver.setStatus(0) == 0)
        #expect(driver.setStatus(0) == -ENODEV)
        #expect(driver.invalidate(0x1000, 4096) == Int(-ENODEV))
        #expect(driver.device.read(IOVA(0x1000), byteCount: 1) == nil)
        #expect(driver.device.faults.map(\.reason) == [.deviceGone])
        driver.device.clearFaultPlan()
        #expect(driver.invalidate(0x1000, 4096) == 72)
    }

    @Test func `latency holds up each call`() {
        let driver = Driver()
        driver.device.latency = .milliseconds(20)
        let time = ContinuousClock().measure {
            for _ in 0..<3 { #expect(driver.setStatus(0) == 0) }
        }
        #expect(time >= .milliseconds(60))
    }

    @Test func `calls of another process meet the owner's rules`() {
        let driver = Driver()
        let pages = SharedPages(1)
        SimulatedDevice.simulateOtherProcess {
            #expect(driver.update(0x1000, 4096, pages[0]) == Int(-EFAULT))
            #expect(driver.ring(CVHOST_SET_VRING_NUM, 0, 256) == -EPERM)
            #expect(driver.setStatus(1) == 0)
        }
        #expect(driver.update(0x1000, 4096, pages[0]) == 72)
    }
}
