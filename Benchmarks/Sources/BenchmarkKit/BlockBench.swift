internal import VDPAMemory
internal import VDPASimulator
internal import VirtioDeviceModel
internal import VirtioDriver

/// One repetition of the suite `blk`: a device, its driver, and all requests.
final class BlockBench {
    private let way: BlockWay
    private let options: BlockSuiteOptions
    /// The simulated disk's thread; nil on a real device.
    private let model: BlockDeviceModel?
    private let domain: DMADomain
    private let block: VirtioBlock
    private let pool: DMABufferPool
    private var random: SplitMix64
    private var checksum: UInt64 = 0

    init(_ way: BlockWay, _ options: BlockSuiteOptions, seed: UInt64) throws {
        let device: VDPADevice
        if let path = options.devicePath {
            device = try VDPADevice(path: path)
            model = nil
        } else {
            let simulated = SimulatedDevice(.vdpaSimBlock())
            model = BlockDeviceModel(simulated, sectorCount: 0x40000)
            device = try VDPADevice(simulated)
        }
        guard try device.deviceID == .block else {
            throw BenchmarkError("\(device.name) is no block device")
        }
        domain = try DMADomain(device, options: .init(unmapping: way.unmapping))
        pool = try DMABufferPool(
            try domain.allocate(byteCount: options.depth * options.requestBytes),
            bufferSize: options.requestBytes)
        block = try VirtioBlock(device, domain)
        self.way = way
        self.options = options
        random = SplitMix64(seed: seed)
    }

    func run(_ memory: borrowing PopulatedMemory, _ clock: TickClock) throws -> BlockRun {
        // The first request of a device may open what later ones find open.
        try runPool(requests: options.depth)
        let messages = domain.messageCount
        let nanoseconds = try clock.time {
            switch way {
            case .mapEach, .deferred: try runEach(memory)
            case .mapBatch: try runBatches(memory)
            case .pool: try runPool(requests: options.requests)
            }
        }
        let sent = domain.messageCount - messages
        try block.close()
        return BlockRun(nanoseconds: nanoseconds, messages: sent, checksum: checksum)
    }

    /// A random place that the disk has.
    private func sector() -> UInt64 {
        let pages = block.geometry.sectorCount / UInt64(options.requestBytes / 512)
        return random.next() % max(pages, 1) * UInt64(options.requestBytes / 512)
    }

    private func read(into iova: IOVA, _ slot: Int, kicks: Bool = true) throws {
        try block.submit(
            .read, sector: sector(), data: [DMASlice(iova: iova, byteCount: options.requestBytes)],
            token: UInt64(slot), kicks: kicks)
    }

    /// The slots that have come back.
    private func wait() throws -> [Int] {
        try block.wait().map { completion in
            guard completion.status == .ok else {
                throw BenchmarkError("a read ended with: \(completion.status)")
            }
            return Int(completion.token)
        }
    }

    /// No two slots touch, so that no two mappings do.
    private func slot(
        _ index: Int, _ memory: borrowing PopulatedMemory
    ) -> UnsafeMutableRawBufferPointer {
        let first = 2 * index * options.requestBytes
        // Safe: in bounds, or the process ends; the memory outlives the mappings.
        return unsafe UnsafeMutableRawBufferPointer(
            rebasing: memory.bytes[first..<first + options.requestBytes])
    }

    // MARK: the ways

    private func runEach(_ memory: borrowing PopulatedMemory) throws {
        var ids = [RegionID?](repeating: nil, count: options.depth)
        var free = Array(0..<options.depth)
        var left = options.requests
        while left > 0 || free.count < options.depth {
            while left > 0, let index = free.popLast() {
                let region = try unsafe domain.register(slot(index, memory))
                try read(into: region.iova, index)
                ids[index] = region.relinquish()
                left -= 1
            }
            for index in try wait() {
                checksum &+= unsafe UInt64(slot(index, memory)[0])
                if let id = ids[index] { try block.free(id) }
                free.append(index)
            }
        }
        try domain.flush()
    }

    private func runBatches(_ memory: borrowing PopulatedMemory) throws {
        var left = options.requests
        while left > 0 {
            let count = min(left, options.depth)
            let ids = try domain.batch { batch throws(DMAError) in
                var ids: [RegionID] = []
                for index in 0..<count {
                    ids.append(try unsafe batch.register(slot(index, memory)))
                }
                return ids
            }
            for (index, id) in ids.enumerated() {
                let isLast = index + 1 == count
                try read(into: try domain.info(id).range.first, index, kicks: isLast)
            }
            var done = 0
            while done < count { done += try wait().count }
            checksum &+= unsafe UInt64(slot(0, memory)[0])
            try domain.batch { batch throws(DMAError) in
                for id in ids { try batch.free(id) }
            }
            left -= count
        }
    }

    private func runPool(requests: Int) throws {
        var buffers = [DMABuffer?](repeating: nil, count: options.depth)
        var free = Array(0..<options.depth)
        var left = requests
        while left > 0 || free.count < options.depth {
            while left > 0, let index = free.popLast() {
                guard let buffer = pool.take() else { throw BenchmarkError("the pool is empty") }
                buffers[index] = buffer
                try read(into: buffer.iova, index)
                left -= 1
            }
            for index in try wait() {
                guard let buffer = buffers[index] else { continue }
                checksum &+= unsafe UInt64(buffer.address.load(as: UInt8.self))
                pool.give(buffer)
                free.append(index)
            }
        }
    }
}
