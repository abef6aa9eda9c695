import Testing
import VDPAMemory
import VDPASimulator

@Suite("Buffers of a pool on a region of a domain")
struct DomainPoolTests {
    @Test func `all buffers are apart, inside the region, and nil when they are out`() throws {
        let world = try DomainWorld()
        let region = try world.domain.allocate(byteCount: 2 << 20)
        let range = region.range
        let pool = try DMABufferPool(region, bufferSize: 2000)
        #expect(pool.stride == 2048 && pool.capacity == 1024)
        var seen = Set<UInt64>()
        var all: [DMABuffer] = []
        while let buffer = pool.take() {
            #expect(range.contains(buffer.iova) && seen.insert(buffer.iova.rawValue).inserted)
            all.append(buffer)
        }
        #expect(all.count == pool.capacity && pool.take() == nil)
        for buffer in all { pool.give(buffer) }
        #expect(pool.take() != nil)
    }

    @Test func `threads take and give, and nobody has another's buffer`() async throws {
        let world = try DomainWorld()
        let pool = try DMABufferPool(
            try world.domain.allocate(byteCount: 64 << 10), bufferSize: 1024)
        let clashes = await withTaskGroup(of: Int.self, returning: Int.self) { group in
            for thread in 1...4 {
                group.addTask { @Sendable in
                    var clashes = 0
                    for round in 0..<5000 {
                        guard let buffer = pool.take() else { continue }
                        let stamp = UInt64(thread) << 32 | UInt64(round)
                        // Safe: the buffer is this thread's until it is given back.
                        unsafe buffer.address.storeBytes(of: stamp, as: UInt64.self)
                        let seen = unsafe buffer.address.load(as: UInt64.self)
                        if seen != stamp { clashes += 1 }
                        pool.give(buffer)
                    }
                    return clashes
                }
            }
            return await group.reduce(0, +)
        }
        #expect(clashes == 0)
        var count = 0
        while pool.take() != nil { count += 1 }
        #expect(count == pool.capacity, "none was lost or doubled")
    }

    @Test func `a region that is too small is refused and freed`() throws {
        let world = try DomainWorld()
        for size in [4097, 0, -1, Int.max] {
            let region = try world.domain.allocate(byteCount: 4096)
            do throws(DMAError) {
                _ = try DMABufferPool(region, bufferSize: size)
                Issue.record("a pool of buffers of \(size) bytes in 4096")
            } catch {
                #expect(error.code == .invalidArgument)
            }
            #expect(world.domain.statistics.regions == 0)
        }
    }

    @Test func `a foreign buffer traps`() async {
        await #expect(processExitsWith: .failure) {
            let domain = try DMADomain(try VDPADevice(SimulatedDevice(.vdpaSimNet())))
            let pool = try DMABufferPool(try domain.allocate(byteCount: 4096), bufferSize: 1024)
            let other = try DMABufferPool(try domain.allocate(byteCount: 4096), bufferSize: 1024)
            pool.give(try #require(other.take()))
        }
    }
}
