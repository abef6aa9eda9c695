internal import VDPAMemory
internal import VhostVDPA
internal import VirtioDriver

/// Where a workload's buffers come from: some of 4 KiB, fewer of 64 KiB, a few of 1 MiB.
protocol BufferSource: AnyObject {
    /// Memory of exactly so many bytes, which the device reads for a write to the disk, and writes
    /// else; nil while there is none.
    func take(byteCount: Int, forWriting: Bool) -> [Lease]?
    func give(_ leases: [Lease])
}

/// A buffer that is out.
struct Lease {
    /// As many bytes as were asked for.
    let block: DriverMemory
    /// The source's name for it.
    let key: Int
    let pooled: DMABuffer?
}

/// The sizes of a source, and how many of each.
private let classes: [(byteCount: Int, count: Int)] = [(4096, 64), (64 << 10, 16), (1 << 20, 4)]

/// Buffers of `DMABufferPool`: one pool for each size.
final class PoolSource: BufferSource {
    private let pools: [DMABufferPool]

    init(_ domain: DMADomain) throws {
        pools = try classes.map { byteCount, count in
            try DMABufferPool(
                try domain.allocate(byteCount: byteCount * count), bufferSize: byteCount)
        }
    }

    /// Larger transfers than the smallest buffer come in pieces now and then, as packets do.
    func take(byteCount: Int, forWriting: Bool) -> [Lease]? {
        for (index, pool) in pools.enumerated() where pool.bufferByteCount >= byteCount {
            guard let buffer = pool.take() else { continue }
            return [lease(buffer, byteCount, index)]
        }
        // None is large enough: several of 64 KiB.
        var leases: [Lease] = []
        var left = byteCount
        while left > 0 {
            guard let buffer = pools[1].take() else {
                give(leases)
                return nil
            }
            let count = min(left, pools[1].bufferByteCount)
            leases.append(lease(buffer, count, 1))
            left -= count
        }
        return leases
    }

    private func lease(_ buffer: DMABuffer, _ byteCount: Int, _ pool: Int) -> Lease {
        Lease(block: DriverMemory(buffer, byteCount: byteCount), key: pool, pooled: buffer)
    }

    func give(_ leases: [Lease]) {
        for lease in leases { if let buffer = lease.pooled { pools[lease.key].give(buffer) } }
    }
}

/// Blocks that stay mapped, whoever made them.
class BlockSource: BufferSource {
    private var free: [Bool: [Int: DriverMemory]]

    /// - Parameters: what the device may read, and what it may write.
    init(readable: [DriverMemory], writable: [DriverMemory]) {
        free = [
            true: Dictionary(uniqueKeysWithValues: readable.enumerated().map { ($0, $1) }),
            false: Dictionary(uniqueKeysWithValues: writable.enumerated().map { ($0, $1) }),
        ]
        whole = [true: readable, false: writable]
    }

    private let whole: [Bool: [DriverMemory]]

    func take(byteCount: Int, forWriting: Bool) -> [Lease]? {
        let fitting = free[forWriting]?.filter { $0.value.byteCount >= byteCount }
        guard
            let (index, block) = fitting?.min(by: {
                ($0.value.byteCount, $0.key) < ($1.value.byteCount, $1.key)
            })
        else { return nil }
        free[forWriting]?[index] = nil
        // Odd keys are for writing.
        return [
            Lease(
                block: block.part(from: 0, byteCount: byteCount),
                key: 2 * index + (forWriting ? 1 : 0), pooled: nil)
        ]
    }

    func give(_ leases: [Lease]) {
        for lease in leases {
            let isForWriting = lease.key % 2 == 1
            free[isForWriting]?[lease.key / 2] = whole[isForWriting]?[lease.key / 2]
        }
    }

    /// Blocks of all sizes from a function that makes one.
    static func blocks(
        dividingCountsBy divisor: Int = 1, _ make: (Int) throws -> DriverMemory
    ) throws -> [DriverMemory] {
        var blocks: [DriverMemory] = []
        for (byteCount, count) in classes {
            for _ in 0..<max(count / divisor, 1) { blocks.append(try make(byteCount)) }
        }
        return blocks
    }
}

extension BlockSource {
    /// Regions of the library's memory, one for each buffer; they live as long as the domain.
    static func regions(_ domain: DMADomain) throws -> BlockSource {
        let blocks = try blocks { byteCount in
            try DriverMemory.owned(by: domain, byteCount: byteCount)
        }
        return BlockSource(sharing: blocks)
    }

    /// Regions that the device may only read, for writes to the disk, and others that it may only
    /// write.
    static func separated(_ domain: DMADomain) throws -> BlockSource {
        try BlockSource(
            readable: blocks(dividingCountsBy: 2) { byteCount in
                try DriverMemory.owned(by: domain, byteCount: byteCount, access: .readOnly)
            },
            writable: blocks(dividingCountsBy: 2) { byteCount in
                try DriverMemory.owned(by: domain, byteCount: byteCount, access: .writeOnly)
            })
    }

    /// The caller's memory, registered as a whole and used in place.
    static func registered(_ domain: DMADomain, _ pages: borrowing Pages) throws -> BlockSource {
        let memory = unsafe pages.buffer(0, pages.count)
        // Safe: the pages outlive the domain's use of them.
        let region = try unsafe domain.register(memory)
        let whole = DriverMemory(region)
        _ = region.relinquish()
        var next = 0
        let blocks = try blocks { byteCount in
            defer { next += byteCount }
            return whole.part(from: next, byteCount: byteCount)
        }
        return BlockSource(sharing: blocks)
    }

    /// Half of the blocks for each direction.
    private convenience init(sharing blocks: [DriverMemory]) {
        self.init(
            readable: blocks.enumerated().filter { $0.offset % 2 == 0 }.map(\.element),
            writable: blocks.enumerated().filter { $0.offset % 2 == 1 }.map(\.element))
    }

    /// What `registered` needs.
    static let pageCount = classes.reduce(0) { $0 + $1.byteCount * $1.count } / 4096
}

extension DriverMemory {
    /// A region that nobody frees before its domain ends.
    static func owned(
        by domain: DMADomain, byteCount: Int, access: DMAAccess = .readWrite,
        isolation: Isolation = .automatic
    ) throws -> DriverMemory {
        let region = try domain.allocate(
            byteCount: byteCount, options: .init(access: access, isolation: isolation))
        let block = DriverMemory(region)
        _ = region.relinquish()
        return block
    }
}
