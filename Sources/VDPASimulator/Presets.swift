internal import IOVAAllocator

// Sizes and feature bits of the four devices of the kernel test VM, on 6.1.192.

extension SimulatedDevice.Configuration {
    /// virtio_net on vdpa_sim: three queues (the control queue in a group of its own), two address
    /// spaces. `batchMapping: false` is the module's `batch_mapping=0`: `dma_map` entry by entry.
    public static func vdpaSimNet(
        batchMapping: Bool = true, kernel: KernelProfile = .v6_1
    ) -> SimulatedDevice.Configuration {
        var device = SimulatedDevice.Configuration()
        device.kernel = kernel
        device.kind = batchMapping ? .setMap : .dmaMap
        device.usesVirtualAddresses = kernel.vdpaSimUsesVirtualAddresses
        device.features =
            Feature.anyLayout | Feature.version1 | Feature.accessPlatform
            | Feature.netMAC | Feature.netMTU | Feature.netStatus | Feature.netControl
            | Feature.netControlMAC
        device.configurationSpace = [UInt8](repeating: 0, count: 24)
        device.configurationSpace[6] = 1  // the link is up
        device.configurationSpace[10] = 0xdc  // MTU 1500
        device.configurationSpace[11] = 0x05
        return device
    }

    /// virtio_blk on vdpa_sim: one queue, one address space, 128 MiB.
    public static func vdpaSimBlock(
        batchMapping: Bool = true, kernel: KernelProfile = .v6_1
    ) -> SimulatedDevice.Configuration {
        var device = vdpaSimNet(batchMapping: batchMapping, kernel: kernel)
        device.makeBlockDevice(sectors: 0x40000, queues: 1)
        device.features =
            Feature.anyLayout | Feature.version1 | Feature.accessPlatform
            | Feature.blockDefaults
        return device
    }

    /// virtio_blk on vp_vdpa behind a platform IOMMU with 48 address bits.
    public static func vpVDPA(kernel: KernelProfile = .v6_1) -> SimulatedDevice.Configuration {
        var device = SimulatedDevice.Configuration()
        device.kernel = kernel
        device.kind = .platformIOMMU
        device.driver = .virtioPCI
        device.makeBlockDevice(sectors: 0x20000, queues: 2)
        device.features =
            Feature.anyLayout | Feature.version1 | Feature.accessPlatform
            | Feature.indirectDescriptors | Feature.eventIndex | Feature.blockDefaults
        device.iovaRange = IOVARange(first: 0, last: 1 << 48 - 1)
        device.reservedWindows = [IOVARange(first: 0xfee0_0000, last: 0xfeef_ffff)]
        // GET_CONFIG_SIZE is the length of the PCI capability, not of the structure.
        device.configurationSpace += [UInt8](
            repeating: 0, count: 4096 - device.configurationSpace.count)
        return device
    }

    /// virtio_blk served by a VDUSE daemon: mapped by virtual address.
    public static func vduse(kernel: KernelProfile = .v6_1) -> SimulatedDevice.Configuration {
        var device = vdpaSimBlock(kernel: kernel)
        device.driver = .vduse
        device.usesVirtualAddresses = true
        device.makeBlockDevice(sectors: 0x20000, queues: 1)
        return device
    }

    private mutating func makeBlockDevice(sectors: UInt64, queues: UInt32) {
        deviceID = 2
        queueCount = queues
        groupCount = 1
        addressSpaceCount = 1
        groupOfQueue = []
        configurationSpace = [UInt8](repeating: 0, count: 72)
        for byte in 0..<8 {
            configurationSpace[byte] = UInt8(truncatingIfNeeded: sectors >> (8 * UInt64(byte)))
        }
        configurationSpace[12] = 32  // seg_max
        configurationSpace[21] = 2  // blk_size 512
        configurationSpace[34] = UInt8(queues)
    }
}

/// Virtio feature bits, as far as the presets and the rules need them.
enum Feature {
    static let anyLayout: UInt64 = 1 << 27
    static let indirectDescriptors: UInt64 = 1 << 28
    static let eventIndex: UInt64 = 1 << 29
    static let version1: UInt64 = 1 << 32
    static let accessPlatform: UInt64 = 1 << 33
    static let packedRing: UInt64 = 1 << 34
    static let netMTU: UInt64 = 1 << 3
    static let netMAC: UInt64 = 1 << 5
    static let netStatus: UInt64 = 1 << 16
    static let netControl: UInt64 = 1 << 17
    static let netControlMAC: UInt64 = 1 << 23
    /// SIZE_MAX, SEG_MAX, BLK_SIZE, FLUSH, TOPOLOGY, MQ.
    static let blockDefaults: UInt64 = 1 << 1 | 1 << 2 | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 12
}
