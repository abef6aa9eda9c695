import CVhostVDPA
import Testing
import VhostVDPA

/// The kernel's numbers, typed in a second time and apart from the header that the library uses.
struct GoldenNumbersTests {
    static let requests: [(VhostOperation, UInt32)] = [
        (.getFeatures, 0x8008_af00), (.setFeatures, 0x4008_af00), (.setOwner, 0x0000_af01),
        (.resetOwner, 0x0000_af02), (.setMemTable, 0x4008_af03), (.setLogBase, 0x4008_af04),
        (.setLogFD, 0x4004_af07), (.setVringNum, 0x4008_af10), (.setVringAddr, 0x4028_af11),
        (.setVringBase, 0x4008_af12), (.getVringBase, 0xc008_af12), (.setVringKick, 0x4008_af20),
        (.setVringCall, 0x4008_af21), (.setVringErr, 0x4008_af22),
        (.setBackendFeatures, 0x4008_af25), (.getBackendFeatures, 0x8008_af26),
        (.getDeviceID, 0x8004_af70), (.getStatus, 0x8001_af71), (.setStatus, 0x4001_af72),
        (.getConfig, 0x8008_af73), (.setConfig, 0x4008_af74), (.setVringEnable, 0x4008_af75),
        (.getVringNum, 0x8002_af76), (.setConfigCall, 0x4004_af77), (.getIOVARange, 0x8010_af78),
        (.getConfigSize, 0x8004_af79), (.getAddressSpaceCount, 0x8004_af7a),
        (.getVringGroup, 0xc008_af7b), (.setGroupASID, 0x4008_af7c), (.suspend, 0x0000_af7d),
        (.resume, 0x0000_af7e), (.getVringDescriptorGroup, 0xc008_af7f),
        (.getQueueCount, 0x8004_af80), (.getGroupCount, 0x8004_af81), (.getVringSize, 0xc008_af82),
    ]

    @Test(arguments: requests)
    func `every request has the kernel's number`(operation: VhostOperation, number: UInt32) {
        #expect(operation.request == number)
    }

    @Test func `the table names every operation that is an ioctl, once`() {
        let ioctls = VhostOperation.allCases.filter { $0.request != nil }
        #expect(ioctls.count == 35)
        #expect(Set(Self.requests.map(\.0)) == Set(ioctls))
        #expect(Set(Self.requests.map(\.1)).count == 35)
        #expect(
            Set(VhostOperation.allCases).subtracting(ioctls)
                == [.open, .update, .invalidate, .batchBegin, .batchEnd])
    }

    @Test func `structures have the kernel's sizes`() {
        #expect(MemoryLayout<vhost_iotlb_msg>.size == 32)
        #expect(MemoryLayout<vhost_msg>.size == 72)
        #expect(MemoryLayout<vhost_msg_v2>.size == 72)
        #expect(MemoryLayout<vhost_vring_state>.size == 8)
        #expect(MemoryLayout<vhost_vring_file>.size == 8)
        #expect(MemoryLayout<vhost_vring_addr>.size == 40)
        #expect(MemoryLayout<vhost_vdpa_config>.size == 8)
        #expect(MemoryLayout<vhost_vdpa_iova_range>.size == 16)
        #expect(MemoryLayout<vhost_memory>.size == 8)
        #expect(MemoryLayout<vhost_memory_region>.size == 32)
        #expect(IOTLBMessage.byteCount == 72)
    }

    @Test func `fields have the kernel's offsets`() {
        #expect(MemoryLayout<vhost_iotlb_msg>.offset(of: \.iova) == 0)
        #expect(MemoryLayout<vhost_iotlb_msg>.offset(of: \.size) == 8)
        #expect(MemoryLayout<vhost_iotlb_msg>.offset(of: \.uaddr) == 16)
        #expect(MemoryLayout<vhost_iotlb_msg>.offset(of: \.perm) == 24)
        #expect(MemoryLayout<vhost_iotlb_msg>.offset(of: \.type) == 25)
        // A hole of 4 bytes follows: the union behind it starts at 8, which C asserts.
        #expect(MemoryLayout<vhost_msg>.offset(of: \.type) == 0)
        #expect(MemoryLayout<vhost_msg_v2>.offset(of: \.type) == 0)
        #expect(MemoryLayout<vhost_msg_v2>.offset(of: \.asid) == 4)
        #expect(MemoryLayout<vhost_vring_addr>.offset(of: \.index) == 0)
        #expect(MemoryLayout<vhost_vring_addr>.offset(of: \.flags) == 4)
        #expect(MemoryLayout<vhost_vring_addr>.offset(of: \.desc_user_addr) == 8)
        #expect(MemoryLayout<vhost_vring_addr>.offset(of: \.used_user_addr) == 16)
        #expect(MemoryLayout<vhost_vring_addr>.offset(of: \.avail_user_addr) == 24)
        #expect(MemoryLayout<vhost_vring_addr>.offset(of: \.log_guest_addr) == 32)
        #expect(MemoryLayout<vhost_vring_state>.offset(of: \.index) == 0)
        #expect(MemoryLayout<vhost_vring_state>.offset(of: \.num) == 4)
        #expect(MemoryLayout<vhost_vring_file>.offset(of: \.index) == 0)
        #expect(MemoryLayout<vhost_vring_file>.offset(of: \.fd) == 4)
        #expect(MemoryLayout<vhost_vdpa_config>.offset(of: \.off) == 0)
        #expect(MemoryLayout<vhost_vdpa_config>.offset(of: \.len) == 4)
        #expect(MemoryLayout<vhost_vdpa_iova_range>.offset(of: \.first) == 0)
        #expect(MemoryLayout<vhost_vdpa_iova_range>.offset(of: \.last) == 8)
    }

    @Test func `bits and codes are the kernel's`() {
        #expect(BackendFeatures.messageV2.rawValue == 0x02)
        #expect(BackendFeatures.batch.rawValue == 0x04)
        #expect(BackendFeatures.addressSpaces.rawValue == 0x08)
        #expect(BackendFeatures.suspend.rawValue == 0x10)
        #expect(BackendFeatures.resume.rawValue == 0x20)
        #expect(BackendFeatures.enableAfterDriverOK.rawValue == 0x40)
        #expect(BackendFeatures.descriptorASID.rawValue == 0x80)
        #expect(BackendFeatures.persistentIOTLB.rawValue == 0x100)
        #expect(DMAAccess.readOnly.rawValue == 1)
        #expect(DMAAccess.writeOnly.rawValue == 2)
        #expect(DMAAccess.readWrite.rawValue == 3)
        #expect(DMAAccess(rawValue: 0) == nil)
        #expect(DMAAccess(rawValue: 4) == nil)
        #expect(DeviceStatus.acknowledge.rawValue == 1)
        #expect(DeviceStatus.driver.rawValue == 2)
        #expect(DeviceStatus.driverOK.rawValue == 4)
        #expect(DeviceStatus.featuresOK.rawValue == 8)
        #expect(DeviceStatus.needsReset.rawValue == 0x40)
        #expect(DeviceStatus.failed.rawValue == 0x80)
        #expect(VirtioFeatures.version1.rawValue == 0x1_0000_0000)
        #expect(VirtioFeatures.accessPlatform.rawValue == 0x2_0000_0000)
        #expect(VirtioFeatures.ringPacked.rawValue == 0x4_0000_0000)
        #expect(VirtioDeviceID.network.rawValue == 1)
        #expect(VirtioDeviceID.block.rawValue == 2)
    }

    @Test func `backend features that nobody knows are kept and shown`() {
        let features = BackendFeatures(rawValue: 1 << 40 | 0x0e)
        #expect(features.description == "{IOTLB_MSG_V2, IOTLB_BATCH, IOTLB_ASID, 0x10000000000}")
        #expect(BackendFeatures().description == "{}")
    }
}
