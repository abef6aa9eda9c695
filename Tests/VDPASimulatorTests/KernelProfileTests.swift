import CVhostVDPA
import IOVAAllocator
import Testing
import VDPASimulator

@Suite struct KernelProfileTests {
    private func driver(_ kernel: KernelProfile, usesVirtualAddresses: Bool = false) -> Driver {
        var configuration = SimulatedDevice.Configuration.vdpaSimNet(kernel: kernel)
        configuration.usesVirtualAddresses = usesVirtualAddresses
        return Driver(configuration)
    }

    @Test(arguments: [
        (KernelProfile.v5_19, Int(-EINVAL)), (.v6_1, 72), (.v6_6, 72), (.v6_12, 72), (.v7, 72),
    ])
    func `INVALIDATE of size 0`(_ kernel: KernelProfile, _ expected: Int) {
        let driver = driver(kernel)
        let pages = SharedPages(1)
        #expect(driver.update(0x1000, 4096, pages[0]) == 72)
        #expect(driver.invalidate(0, 0) == expected)
        #expect(driver.device.kernelEntries().isEmpty == (expected == 72))
    }

    @Test func `before 6_4 an address space goes with its last entry`() {
        let pages = SharedPages(1)
        let old = driver(.v5_19)
        #expect(old.update(0x1000, 4096, pages[0]) == 72)
        #expect(old.invalidate(0x1000, 4096) == 72)
        #expect(!old.device.hasAddressSpace(0))
        #expect(old.invalidate(0x1000, 4096) == Int(-EFAULT))
        let new = driver(.v6_6)
        #expect(new.update(0x1000, 4096, pages[0]) == 72)
        #expect(new.invalidate(0x1000, 4096) == 72)
        #expect(new.invalidate(0x1000, 4096) == 72)
    }

    @Test func `before 6_4 an address space emptied in a batch goes at its end`() {
        let pages = SharedPages(1)
        let old = driver(.v5_19)
        #expect(old.begin() == 72)
        #expect(old.update(0x1000, 4096, pages[0]) == 72)
        #expect(old.invalidate(0x1000, 4096) == 72)
        #expect(old.invalidate(0x1000, 4096) == 72, "still there inside the batch")
        #expect(old.end() == 72)
        #expect(old.end() == Int(-EFAULT))
    }

    @Test(arguments: [
        (KernelProfile.v5_19, UInt64(0x0e)), (.v6_1, 0x1e), (.v6_6, 0x7e), (.v6_12, 0x17e),
        (.v7, 0x17e),
    ])
    func `backend features of vdpa_sim`(_ kernel: KernelProfile, _ expected: UInt64) {
        var features: UInt64 = 0
        #expect(driver(kernel).call(CVHOST_GET_BACKEND_FEATURES, &features) == 0)
        #expect(features == expected)
    }

    @Test func `IOTLB_PERSIST keeps the translation over a reset where it was acknowledged`() {
        let pages = SharedPages(1)
        let persistent = driver(.v6_12)
        #expect(persistent.update(0x1000, 4096, pages[0]) == 72)
        #expect(persistent.setStatus(0) == 0)
        #expect(persistent.device.deviceEntries().count == 1)
        var without: UInt64 = 0x0e
        #expect(persistent.call(CVHOST_SET_BACKEND_FEATURES, &without) == 0)
        #expect(persistent.setStatus(0) == 0)
        #expect(persistent.device.deviceEntries().isEmpty)
        #expect(persistent.device.kernelEntries().count == 1)
    }

    @Test func `a running ring's index and addresses are locked from 6_12 on, unless suspended`() {
        for (kernel, expected) in [(KernelProfile.v6_6, Int32(0)), (.v6_12, -EINVAL)] {
            let driver = driver(kernel)
            #expect(driver.setStatus(0xf) == 0)
            #expect(driver.ring(CVHOST_SET_VRING_BASE, 0, 1) == expected)
            #expect(driver.call(CVHOST_VDPA_SUSPEND) == 0)
            #expect(driver.ring(CVHOST_SET_VRING_BASE, 0, 1) == 0)
            #expect(driver.call(CVHOST_VDPA_RESUME) == 0)
            #expect(driver.ring(CVHOST_SET_VRING_BASE, 0, 1) == expected)
        }
    }

    @Test func `SUSPEND before DRIVER_OK does something up to 6_6 only`() {
        for (kernel, expected) in [(KernelProfile.v6_1, true), (.v6_12, false)] {
            let driver = driver(kernel)
            #expect(driver.call(CVHOST_VDPA_SUSPEND) == 0)
            #expect(driver.device.isSuspended == expected)
        }
        #expect(driver(.v5_19).call(CVHOST_VDPA_SUSPEND) == -EFAULT, "not known yet")
    }

    @Test func `a running device's groups are locked from 7 on`() {
        for (kernel, expected) in [(KernelProfile.v6_12, Int32(0)), (.v7, -EBUSY)] {
            let driver = driver(kernel)
            #expect(driver.ring(CVHOST_VDPA_SET_GROUP_ASID, 1, 1) == 0)
            #expect(driver.setStatus(0xf) == 0)
            #expect(driver.ring(CVHOST_VDPA_SET_GROUP_ASID, 1, 0) == expected)
        }
    }

    @Test func `ring size and descriptor group are known from 6_12 on`() {
        for (kernel, size, group) in [
            (KernelProfile.v6_6, -ENOTTY, -ENOTTY), (.v6_12, Int32(0), -EOPNOTSUPP),
        ] {
            let driver = driver(kernel)
            #expect(driver.ring(CVHOST_VDPA_GET_VRING_SIZE, 0, 0) == size)
            #expect(driver.ring(CVHOST_VDPA_GET_VRING_DESC_GROUP, 0, 0) == group)
        }
    }

    @Test func `vdpa_sim maps by virtual address from 6_6 on`() {
        #expect(!SimulatedDevice(.vdpaSimNet(kernel: .v6_1)).usesVirtualAddresses)
        #expect(SimulatedDevice(.vdpaSimNet(kernel: .v6_6)).usesVirtualAddresses)
    }
}
