import CVhostVDPA
import IOVAAllocator
import TestSupport
import Testing
import VDPASimulator
import VhostVDPA

@Suite struct FuzzTests {
    static let presets: [SimulatedDevice.Configuration] = [
        .vdpaSimNet(), .vdpaSimNet(batchMapping: false, kernel: .v5_19), .vpVDPA(), .vduse(),
        .vdpaSimBlock(kernel: .v7),
    ]

    @Test(arguments: presets.indices, [UInt64(1), 2, 3])
    func `no message and no request breaks the tables`(_ preset: Int, _ seed: UInt64) {
        var configuration = FuzzTests.presets[preset]
        configuration.entryLimit = 24
        configuration.contiguity = .runs([4096, 8192])
        configuration.lockedMemoryLimit = 64 * 4096
        let driver = Driver(configuration)
        let pages = SharedPages(8)
        var random = SeededGenerator(seed: seed)
        for step in 0..<1500 {
            if random.below(4) == 0 {
                request(driver, &random)
            } else {
                message(driver, pages, &random)
            }
            if let violation = violation(driver.device) {
                Issue.record("preset \(preset), seed \(seed), step \(step): \(violation)")
                return
            }
        }
        driver.file.close()
        #expect(driver.device.pinnedByteCount == 0)
        let isEmpty = driver.device.mappingSnapshot.kernel.allSatisfy { $0.isEmpty }
        #expect(isEmpty)
    }

    private func message(_ driver: Driver, _ pages: SharedPages, _ random: inout SeededGenerator) {
        let iovas: [UInt64] = [
            0, 1, 0x800, 0x1000, 0x2000, 0x3800, 0x8000, 1 << 48 - 0x1000, 1 << 48,
            .max - 0xfff, .max, random.next(), UInt64(random.below(64)) << 12,
        ]
        let sizes: [UInt64] = [
            0, 1, 0x800, 0x1000, 0x1001, 0x2000, 0x4000, 1 << 63, .max, random.next(),
        ]
        let addresses = [pages[0], pages[3], pages[7], pages[0] + 0x800, 0, .max, 1 << 63]
        let type = random.pick([UInt32(2), 2, 2, 3, 3, 5, 6, 6, 1, 255])
        _ = driver.send(
            type, random.pick(iovas), random.pick(sizes), random.pick(addresses),
            access: random.pick([3, 3, 3, 1, 2, 0, 255]), asid: random.pick([0, 0, 0, 1, 2]))
    }

    private func request(_ driver: Driver, _ random: inout SeededGenerator) {
        let requests = [
            CVHOST_SET_OWNER, CVHOST_RESET_OWNER, CVHOST_SET_MEM_TABLE, CVHOST_SET_VRING_NUM,
            CVHOST_SET_VRING_ADDR, CVHOST_SET_VRING_BASE, CVHOST_GET_VRING_BASE,
            CVHOST_SET_VRING_KICK, CVHOST_SET_BACKEND_FEATURES, CVHOST_SET_FEATURES,
            CVHOST_VDPA_SET_STATUS, CVHOST_VDPA_GET_CONFIG, CVHOST_VDPA_SET_CONFIG,
            CVHOST_VDPA_SET_VRING_ENABLE, CVHOST_VDPA_SET_GROUP_ASID, CVHOST_VDPA_SUSPEND,
            CVHOST_VDPA_GET_VRING_GROUP, UInt32(truncatingIfNeeded: random.next()),
        ]
        // Room for the longest answer, the configuration space of 4096 bytes.
        var argument = [UInt64](repeating: 0, count: 1024)
        for index in 0..<5 {
            argument[index] = random.pick([0, 1, 1 << 32, .max, random.next()])
        }
        let request = random.pick(requests)
        // Safe: the array outlives the call and is larger than any structure.
        _ = unsafe argument.withUnsafeMutableBytes {
            unsafe driver.file.ioctl(request, $0.baseAddress)
        }
    }

    /// What must hold after every step.
    private func violation(_ device: SimulatedDevice) -> String? {
        let snapshot = device.mappingSnapshot
        var pinned: UInt64 = 0
        for entries in snapshot.kernel {
            if entries.count > device.entryLimit { return "more entries than the limit" }
            for (left, right) in zip(entries, entries.dropFirst())
            where left.range.overlaps(right.range) {
                return "\(left.range) overlaps \(right.range)"
            }
            pinned += entries.reduce(0) { $0 + ($1.range.byteCount ?? 0) }
        }
        if device.usesVirtualAddresses { pinned = 0 }
        guard snapshot.pinnedByteCount == pinned else {
            return "\(snapshot.pinnedByteCount) bytes pinned, \(pinned) mapped"
        }
        let hidesChanges = device.configuration.kind == .setMap
        let isStale = !hidesChanges && snapshot.device != snapshot.kernel
        return isStale && device.configuration.driver != .vdpaSim ? "the tables differ" : nil
    }
}
