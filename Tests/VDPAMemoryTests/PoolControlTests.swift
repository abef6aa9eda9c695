import CTestSupport
import TestSupport
import Testing
import VDPAMemory
import VDPASimulator

@Suite("The control plane of a pool")
struct PoolControlTests {
    private static func all(_ pool: DMABufferPool) -> [DMABuffer] {
        var all: [DMABuffer] = []
        while let buffer = pool.take() { all.append(buffer) }
        return all
    }

    @Test func `an empty pool says so, grows, and gives the region back when it is free`() throws {
        let world = try DomainWorld()
        let pool = try DMABufferPool(
            try world.domain.allocate(byteCount: 64 << 10), bufferSize: 1024)
        let first = Self.all(pool)
        #expect(first.count == 64 && pool.isLow && pool.clearLow() && !pool.isLow)
        let region = try world.domain.allocate(byteCount: 2 << 20)
        let range = region.range
        #expect(try pool.grow(region) == 2048)
        #expect(pool.capacity == 64 + 2048 && world.domain.statistics.regions == 2)
        let more = Self.all(pool)
        #expect(more.count == 2048 && more.count { !range.contains($0.iova) } == 0)
        for buffer in more.dropFirst() { pool.give(buffer) }
        #expect(try pool.trim() == 0 && pool.capacity == 64 + 2048, "one buffer is out")
        pool.give(more[0])
        #expect(try pool.trim() == 1 && pool.capacity == 64)
        #expect(world.domain.statistics.regions == 1)
        #expect(!world.simulator.write([1], at: range.first), "the device has lost it")
        #expect(pool.take() == nil)
        for buffer in first { pool.give(buffer) }
        #expect(try pool.trim() == 0 && Self.all(pool).count == 64)
    }

    @Test func `a region that does not fit leaves the pool as it was, and is freed`() throws {
        let world = try DomainWorld()
        let pool = try DMABufferPool(
            try world.domain.allocate(byteCount: 64 << 10), bufferSize: 8192)
        let region = try world.domain.allocate(byteCount: 4096)
        do throws(DMAError) {
            try pool.grow(region)
            Issue.record("no buffer fits")
        } catch {
            #expect(error.code == .invalidArgument)
        }
        #expect(pool.capacity == 8 && world.domain.statistics.regions == 1)
    }

    @Test func `a pool that goes frees all of its regions`() throws {
        let world = try DomainWorld()
        do {
            let pool = try DMABufferPool(world.domain, bufferSize: 512, count: 100)
            try pool.grow(try world.domain.allocate(byteCount: 8192))
            try pool.grow(try world.domain.allocate(byteCount: 8192))
            #expect(world.domain.statistics.regions == 3 && pool.take() != nil)
        }
        #expect(world.domain.statistics.regions == 0)
    }

    @Test func `without memory for the tables nothing is made, and the region is freed`() async {
        await #expect(processExitsWith: .success) {
            let world = try DomainWorld()
            let pool = try DMABufferPool(world.domain, bufferSize: 64, count: 10)
            let first = try world.domain.allocate(byteCount: 64 << 20)
            let second = try world.domain.allocate(byteCount: 64 << 20)
            precondition(ctest_limit_address_space(8 << 20) == 0)
            do throws(DMAError) {
                _ = try DMABufferPool(first, bufferSize: 64)
                fatalError("16 MiB of magazines")
            } catch {
                precondition(error.code == .hostMemory)
            }
            do throws(DMAError) {
                try pool.grow(second)
                fatalError("16 MiB of magazines")
            } catch {
                precondition(error.code == .hostMemory)
            }
            precondition(world.domain.statistics.regions == 1 && pool.take() != nil)
        }
    }

    @Test func `figures say what is where`() throws {
        let world = try DomainWorld()
        let pool = try DMABufferPool(
            world.domain, bufferSize: 64, count: 640,
            options: .init(cacheCapacity: 16, lowWaterMark: 600, checks: .off))
        #expect(pool.cacheCapacity == 16 && pool.statistics.freeInDepot == pool.capacity)
        var buffers = [DMABuffer](repeating: .none, count: 20)
        var span = buffers.mutableSpan
        #expect(pool.take(into: &span) == 20)
        var now = pool.statistics
        #expect(now.inUse == 20 && now.freeInCaches == 12 && now.cacheMisses == 2)
        #expect(now.freeInDepot == pool.capacity - 32 && now.highWaterMark == 32)
        #expect(Set(buffers).count == 20 && !buffers.contains(.none))
        pool.give(buffers.span)
        now = pool.statistics
        #expect(now.inUse == 0 && now.cacheSpills == 0 && now.exhaustions == 0)
        #expect(now.highWaterMark == 32 && pool.isLow == (now.capacity - 32 <= 600))
    }

    @Test func `a bulk take of an empty pool leaves the rest alone`() throws {
        let world = try DomainWorld()
        let pool = try DMABufferPool(
            try world.domain.allocate(byteCount: 4096), bufferSize: 1024)
        var buffers = [DMABuffer](repeating: .none, count: 6)
        var span = buffers.mutableSpan
        #expect(pool.take(into: &span) == 4 && pool.statistics.exhaustions == 1)
        #expect(buffers[4] == .none && buffers[5] == .none && Set(buffers).count == 5)
        pool.give(buffers.span.extracting(0..<4))
        #expect(pool.statistics.inUse == 0)
    }
}
