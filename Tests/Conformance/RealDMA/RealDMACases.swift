internal import TestSupport
internal import VDPAMemory
internal import VhostVDPA
internal import VirtioDriver

// A device reads and writes this library's memory: a virtio-blk driver over it, on the simulator's
// disk and on the four kernel devices'. What is on the disk, and what is in memory, is compared
// byte by byte; a request's status proves nothing.

extension ConformanceCase {
    static let realDMA =
        blockTransfers + blockProtection + blockLife + networkLoop + [blockSoak]

    /// Random transfers, with buffers of every origin.
    private static let blockTransfers: [ConformanceCase] = [
        ConformanceCase("DMA: buffers of a pool carry random transfers at depth 1 to 64") {
            try $0.transfer { domain in try PoolSource(domain) }
        },
        ConformanceCase("DMA: blocks of a heap carry random transfers at depth 1 to 64") {
            try $0.transfer { domain in try HeapSource(domain) }
        },
        ConformanceCase("DMA: regions carry random transfers at depth 1 to 64") {
            try $0.transfer { domain in try BlockSource.regions(domain) }
        },
        ConformanceCase("DMA: registered memory carries random transfers in place") { context in
            let pages = try Pages(BlockSource.pageCount)
            try context.transfer { domain in try BlockSource.registered(domain, pages) }
        },
        ConformanceCase("DMA: what a device may only read, and only write, carries transfers") {
            try $0.transfer { domain in try BlockSource.separated(domain) }
        },
        ConformanceCase("DMA: a queue of 8 entries without its events carries transfers of 1 MiB") {
            context in
            var options = BlockOptions()
            options.queueSize = 8
            options.usesEventIndex = false
            options.usesIndirectDescriptors = false
            try context.transfer(options, depths: [4]) { domain in try PoolSource(domain) }
        },
        ConformanceCase("DMA: a device identifies itself, and flushes if it says it can") {
            context in
            let rig = try BlockRig(context)
            let memory = try DriverMemory.owned(by: rig.domain, byteCount: 4096)
            let name = memory.part(from: 0, byteCount: 21)
            for index in 0..<21 { unsafe name.bytes[index] = 0xee }
            try rig.block.perform(.identify, data: [name.part(from: 0, byteCount: 20).slice])
            try expectEqual(unsafe name.bytes[20], 0xee, "the byte behind the name")
            let isWritten = unsafe name.bytes.dropLast().contains { $0 != 0xee }
            try expectEqual(isWritten, true, "the name is written")
            if rig.block.geometry.canFlush { try rig.block.perform(.flush) }
            try rig.block.close()
        },
    ]
}

/// The profile's block device, with a domain and a driver.
struct BlockRig {
    let device: VDPADevice
    let domain: DMADomain
    let block: VirtioBlock

    /// - Parameter before: maps what must be there before the device runs: VDUSE's daemon does not
    ///   survive a message under load.
    init(
        _ context: Context, _ options: BlockOptions = BlockOptions(),
        domain domainOptions: DMADomainOptions = .init(),
        before: (DMADomain) throws -> Void = { _ in }
    ) throws {
        device = try context.machine.openDevice(.block)
        domain = try DMADomain(device, options: domainOptions)
        try before(domain)
        block = try VirtioBlock(device, domain, options)
    }
}

extension Context {
    /// Where random transfers go on the disk: 3 MiB, the same place for all.
    static let area = 64..<6208

    fileprivate func transfer(
        _ options: BlockOptions = BlockOptions(), depths: [Int] = [1, 4, 16, 64],
        _ source: (DMADomain) throws -> any BufferSource
    ) throws {
        var buffers: (any BufferSource)?
        let rig = try BlockRig(self, options) { domain in buffers = try source(domain) }
        guard let buffers else { return }
        let messages = rig.domain.statistics.messages
        let seed = TestKnobs.seed(0x0d15c)
        let work = BlockWorkload(rig.block, buffers, area: Context.area, seed: seed)
        do {
            try work.prepare()
            // The daemon of a VDUSE device is some times slower than the others, and starts anew
            // each time.
            let few = profile == .vduse ? 5 : 25
            for depth in depths { try work.run(transfers: few + depth, depth: depth) }
            try work.verify()
        } catch {
            throw ConformanceFailure(description: "VDPA_SEED=\(seed): \(error)")
        }
        try expectEqual(rig.domain.statistics.messages, messages, "messages for all of it")
        try rig.block.close()
    }
}
