import Testing
import VDPAMemory
import VDPASimulator

@Suite("How a pool's buffers lie in its regions")
struct PoolLayoutTests {
    @Test(arguments: [1, 64, 256, 4096], [0, 1, 128, 500])
    func `address and IOVA are aligned, and the head-room is the buffer's own`(
        alignment: Int, headroom: Int
    ) throws {
        let world = try DomainWorld()
        let region = try world.domain.allocate(byteCount: 128 << 10)
        let range = region.range
        let pool = try DMABufferPool(
            region, bufferSize: 700, options: .init(alignment: alignment, headroom: headroom))
        #expect(pool.stride >= headroom + 700 && pool.stride % alignment == 0)
        #expect(pool.bufferByteCount == 700 && pool.headroom == headroom)
        var all: [DMABuffer] = []
        while let buffer = pool.take() { all.append(buffer) }
        #expect(all.count == pool.capacity && all.count >= (128 << 10) / pool.stride - 1)
        all.sort { $0.iova.rawValue < $1.iova.rawValue }
        var end = range.first.rawValue
        for buffer in all {
            let address = unsafe UInt(bitPattern: buffer.address)
            #expect(address % UInt(alignment) == 0)
            #expect(buffer.iova.rawValue % UInt64(alignment) == 0)
            #expect(buffer.iova.rawValue >= end + UInt64(headroom), "nobody else's head-room")
            end = buffer.iova.rawValue + 700
            #expect(end - 1 <= range.last.rawValue)
        }
        for buffer in all { pool.give(buffer) }
    }

    @Test func `the device reaches buffer and head-room`() throws {
        let world = try DomainWorld()
        let pool = try DMABufferPool(
            world.domain, bufferSize: 256, count: 10, options: .init(headroom: 64))
        let buffer = try #require(pool.take())
        // Safe: the buffer is this test's, and its head-room with it.
        let front = unsafe buffer.address - 64
        unsafe front.storeBytes(of: 0x0102_0304, as: UInt32.self)
        let iova = IOVA(buffer.iova.rawValue - 64)
        #expect(world.simulator.read(iova, byteCount: 4) == [4, 3, 2, 1])
        pool.give(buffer)
    }

    @Test func `a pool of a domain has as many buffers as were asked for`() throws {
        let world = try DomainWorld()
        let pool = try DMABufferPool(
            world.domain, bufferSize: 1500, count: 333,
            options: .init(alignment: 2048, headroom: 10))
        #expect(pool.capacity >= 333)
        #expect(pool.take().map { $0.iova.rawValue % 2048 } == 0)
    }

    @Test(arguments: [
        (100, DMABufferPoolOptions(alignment: 48)), (100, .init(alignment: 0)),
        (100, .init(headroom: -1)), (100, .init(cacheCapacity: -1)),
        (100, .init(lowWaterMark: -1)), (0, .init()), (4000, .init(headroom: 97)),
        (Int.max, .init(headroom: Int.max)),
    ])
    func `what can never work is refused, and the region is freed`(
        size: Int, options: DMABufferPoolOptions
    ) throws {
        let world = try DomainWorld()
        let region = try world.domain.allocate(byteCount: 4096)
        do throws(DMAError) {
            _ = try DMABufferPool(region, bufferSize: size, options: options)
            Issue.record("a pool of buffers of \(size) bytes")
        } catch {
            #expect(error.code == .invalidArgument)
        }
        #expect(world.domain.statistics.regions == 0)
    }

    @Test func `a region whose address and IOVA differ modulo the alignment is refused`() throws {
        let world = try DomainWorld()
        let memory = SharedMemory(pages: 4)
        // Safe: looked at as a number, and registered as long as the region lives.
        let place = unsafe UInt64(UInt(bitPattern: memory.bytes.baseAddress!)) % 8192
        let iova = IOVA((1 << 20) + 4096 - place)
        let region = unsafe try world.domain.register(memory.bytes, at: .fixed(iova))
        do throws(DMAError) {
            _ = try DMABufferPool(region, bufferSize: 100, options: .init(alignment: 8192))
            Issue.record("aligned in both")
        } catch {
            #expect(error.code == .invalidArgument && error.message.contains("modulo 8192"))
        }
        #expect(world.domain.statistics.regions == 0)
    }
}
