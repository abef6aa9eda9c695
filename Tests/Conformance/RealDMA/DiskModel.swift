internal import CTestSupport
internal import VirtioDriver

/// What an area of a disk must hold: a version for each sector, and with it every byte.
struct DiskModel {
    /// Sector numbers.
    let area: Range<Int>
    private let seed: UInt64
    private var versions: [UInt32]
    /// The version before that.
    private var previous: [UInt32]
    private var lastVersion: UInt32 = 0
    /// Sectors whose last write was given up: they hold this version or the one before.
    private var uncertain: Set<Int> = []

    /// Nothing is known of the area until it has been written.
    init(area: Range<Int>, seed: UInt64) {
        self.area = area
        self.seed = seed
        versions = Array(repeating: 0, count: area.count)
        previous = versions
    }

    /// Makes the next version of sectors in the buffers of a write.
    mutating func fill(_ blocks: [DriverMemory], sector: Int) {
        lastVersion += 1
        var next = sector
        for block in blocks {
            let count = block.byteCount / 512
            for index in next..<next + count {
                previous[index - area.lowerBound] = versions[index - area.lowerBound]
                versions[index - area.lowerBound] = lastVersion
                uncertain.remove(index)
            }
            write(block, sector: next, count)
            next += count
        }
    }

    private func write(_ block: DriverMemory, sector: Int, _ count: Int) {
        let start = sector - area.lowerBound
        // Safe: both hold `count` sectors.
        unsafe versions[start..<start + count].withUnsafeBufferPointer { versions in
            unsafe ctest_fill_sectors(
                block.address, UInt64(sector), UInt64(count), versions.baseAddress, seed)
        }
    }

    /// The first sector of a read that does not hold what it must, or nil.
    mutating func firstWrong(_ blocks: [DriverMemory], sector: Int) -> Int? {
        var next = sector
        for block in blocks {
            let count = block.byteCount / 512
            var good = 0
            while good < count {
                let part = block.part(from: 512 * good, byteCount: 512 * (count - good))
                good += check(part, sector: next + good)
                guard good < count else { break }
                guard settle(block.part(from: 512 * good, byteCount: 512), next + good) else {
                    return next + good
                }
                good += 1
            }
            next += count
        }
        return nil
    }

    private func check(_ block: DriverMemory, sector: Int) -> Int {
        let count = block.byteCount / 512
        let start = sector - area.lowerBound
        // Safe: both hold `count` sectors.
        return unsafe versions[start..<start + count].withUnsafeBufferPointer { versions in
            unsafe Int(
                ctest_check_sectors(
                    block.address, UInt64(sector), UInt64(count), versions.baseAddress, seed))
        }
    }

    /// Notes that nobody knows whether the last write of these sectors was done.
    mutating func giveUp(sector: Int, count: Int) {
        uncertain.formUnion(sector..<sector + count)
    }

    /// A sector whose write was given up holds its old version: what came of it is known then.
    private mutating func settle(_ block: DriverMemory, _ sector: Int) -> Bool {
        guard uncertain.contains(sector) else { return false }
        let index = sector - area.lowerBound
        let new = versions[index]
        versions[index] = previous[index]
        if check(block, sector: sector) == 1 {
            uncertain.remove(sector)
            return true
        }
        versions[index] = new
        return false
    }

    /// The content of one sector, written by somebody else in this version.
    mutating func set(sector: Int, count: Int, version: UInt32) {
        for index in sector..<sector + count { versions[index - area.lowerBound] = version }
        lastVersion = max(lastVersion, version)
    }

    /// The seed of the content, for who fills sectors elsewhere.
    var contentSeed: UInt64 { seed }
}
