internal import TestSupport
internal import VirtioDriver

/// Random reads and writes of a disk's area, every byte of which is compared with the model: what
/// is read must be what was written last, by whatever way.
final class BlockWorkload {
    let block: VirtioBlock
    var source: any BufferSource
    private(set) var model: DiskModel
    private(set) var transferCount = 0
    private(set) var byteCount = 0
    var random: SeededGenerator
    private var flights: [UInt64: Flight] = [:]
    private var nextToken: UInt64 = 1
    /// The most bytes of one transfer.
    var maximumByteCount = 1 << 20

    private struct Flight {
        let isWrite: Bool
        let sectors: Range<Int>
        let leases: [Lease]
    }

    init(
        _ block: VirtioBlock, _ source: any BufferSource, area: Range<Int>, seed: UInt64
    ) {
        self.block = block
        self.source = source
        model = DiskModel(area: area, seed: seed)
        random = SeededGenerator(seed: seed)
    }

    var outstanding: Int { flights.count }

    /// Writes the whole area once, since nobody knows what a disk holds at first.
    func prepare() throws {
        for sector in stride(from: model.area.lowerBound, to: model.area.upperBound, by: 128) {
            let end = min(sector + 128, model.area.upperBound)
            try start(isWrite: true, sector..<end)
            try finish(downTo: 0)
        }
    }

    /// Transfers of random place and size, up to `depth` at a time.
    func run(transfers: Int, depth: Int) throws {
        for _ in 0..<transfers {
            try step(depth: depth)
        }
        try finish(downTo: 0)
    }

    /// One more transfer, once there is room for it.
    func step(depth: Int) throws {
        try finish(downTo: depth - 1)
        for _ in 0..<64 {
            let sectors = randomSectors()
            let isWrite = random.chance(oneIn: 2)
            // Who writes what is being read does not know what is read.
            let isBusy = flights.values.contains {
                ($0.isWrite || isWrite) && $0.sectors.overlaps(sectors)
            }
            if isBusy { continue }
            if try startIfPossible(isWrite: isWrite, sectors) { return }
            try finish(downTo: max(outstanding - 1, 0))
        }
        throw ConformanceFailure(description: "no transfer could be started")
    }

    /// Mostly small ones, a few as large as may be.
    private func randomSectors() -> Range<Int> {
        let largest = min(maximumByteCount / 512, model.area.count)
        let count =
            switch random.weighted([4, 6, 4, 4, 1]) {
            case 0: 1
            case 1: 8
            case 2: 1 + random.below(16)
            case 3: 1 + random.below(min(256, largest))
            default: largest
            }
        let first = model.area.lowerBound + random.below(model.area.count - count + 1)
        return first..<first + count
    }

    private func start(isWrite: Bool, _ sectors: Range<Int>) throws {
        guard try startIfPossible(isWrite: isWrite, sectors) else {
            throw ConformanceFailure(description: "no buffer for \(sectors.count) sectors")
        }
    }

    /// False where there is no buffer.
    private func startIfPossible(isWrite: Bool, _ sectors: Range<Int>) throws -> Bool {
        guard let leases = source.take(byteCount: 512 * sectors.count, forWriting: isWrite) else {
            return false
        }
        let blocks = leases.map(\.block)
        if isWrite {
            model.fill(blocks, sector: sectors.lowerBound)
        } else {
            // So that what was there before does not pass for what is read.
            for block in blocks { unsafe block.bytes[block.byteCount - 1] ^= 0xff }
        }
        let token = nextToken
        nextToken += 1
        flights[token] = Flight(isWrite: isWrite, sectors: sectors, leases: leases)
        try block.submit(
            isWrite ? .write : .read, sector: UInt64(sectors.lowerBound),
            data: blocks.map(\.slice), token: token)
        return true
    }

    /// Takes completions until no more than so many transfers are outstanding.
    func finish(downTo limit: Int) throws {
        while outstanding > limit { try take(try block.wait()) }
    }

    /// Compares what has come back.
    func take(_ completions: [BlockCompletion]) throws {
        for completion in completions {
            guard let flight = flights.removeValue(forKey: completion.token) else {
                throw ConformanceFailure(description: "an unknown transfer completed")
            }
            let what = "\(flight.isWrite ? "write" : "read") of sectors \(flight.sectors)"
            try expectEqual(completion.status, .ok, what)
            if !flight.isWrite {
                let wrong = model.firstWrong(
                    flight.leases.map(\.block), sector: flight.sectors.lowerBound)
                try expectEqual(wrong, nil, "\(what): the first wrong sector")
            }
            source.give(flight.leases)
            transferCount += 1
            byteCount += 512 * flight.sectors.count
        }
    }

    /// After a reset: what was outstanding is over, and nobody knows which writes were done.
    func abandonOutstanding() {
        for flight in flights.values {
            if flight.isWrite {
                model.giveUp(sector: flight.sectors.lowerBound, count: flight.sectors.count)
            }
            source.give(flight.leases)
        }
        flights = [:]
    }

    /// Reads the whole area.
    func verify() throws {
        try finish(downTo: 0)
        for sector in stride(from: model.area.lowerBound, to: model.area.upperBound, by: 128) {
            let end = min(sector + 128, model.area.upperBound)
            try start(isWrite: false, sector..<end)
            try finish(downTo: 0)
        }
    }
}
