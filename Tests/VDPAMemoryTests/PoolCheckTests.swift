import Testing
import VDPAMemory
import VDPASimulator

/// Each misuse ends a process of its own, with a message that names the buffer.
@Suite("What a pool with checks catches")
struct PoolCheckTests {
    @Test func `giving a buffer twice`() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent])
        {
            let pool = try checkedPool()
            let buffer = try #require(pool.take())
            pool.give(buffer)
            pool.give(buffer)
        }
        try expect(result, says: "given twice")
    }

    @Test func `giving a buffer of another pool`() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent])
        {
            let (pool, other) = try (checkedPool(), checkedPool())
            pool.give(try #require(other.take()))
        }
        try expect(result, says: "a pool that it is not of")
    }

    @Test func `giving an address inside a buffer`() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent])
        {
            let pool = try checkedPool()
            let buffer = try #require(pool.take())
            let iova = IOVA(buffer.iova.rawValue + 14)
            // Safe: not followed.
            let inside = unsafe buffer.address + 14
            unsafe pool.give(DMABuffer(address: inside, iova: iova))
        }
        try expect(result, says: "no buffer begins there: 14 bytes into one")
    }

    @Test func `giving a buffer with the IOVA of another`() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent])
        {
            let pool = try checkedPool()
            let (one, two) = (try #require(pool.take()), try #require(pool.take()))
            // Safe: not followed.
            unsafe pool.give(DMABuffer(address: one.address, iova: two.iova))
        }
        try expect(result, says: "wrong IOVA")
    }

    @Test func `writing to a buffer after it was given`() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent])
        {
            let pool = try checkedPool()
            let buffer = try #require(pool.take())
            pool.give(buffer)
            // Safe: mapped as long as the pool lives, though no longer this code's.
            unsafe buffer.address.storeBytes(of: 7, toByteOffset: 99, as: UInt8.self)
            while pool.take() != nil {}
        }
        try expect(result, says: "written to after it was given: byte 99 is 0x07")
    }

    @Test func `a device that writes through a buffer just given back, into its head-room`()
        async throws
    {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent])
        {
            let device = SimulatedDevice(.vdpaSimNet())
            let domain = try DMADomain(try VDPADevice(device))
            let pool = try DMABufferPool(
                domain, bufferSize: 1024, count: 8,
                options: .init(headroom: 64, checks: .on))
            let buffer = try #require(pool.take())
            precondition(device.write([1, 2, 3], at: buffer.iova), "as long as it is out")
            pool.give(buffer)
            precondition(device.write([9], at: IOVA(buffer.iova.rawValue - 64)), "too late")
            while pool.take() != nil {}
        }
        try expect(result, says: "written to after it was given: byte -64 is 0x09")
    }

    @Test func `nothing where nothing is wrong, and a new buffer's zeros are seen`() throws {
        let pool = try checkedPool()
        for _ in 0..<20 {
            let (one, two) = (try #require(pool.take()), try #require(pool.take()))
            for buffer in [one, two] {
                // Safe: the buffer is out.
                unsafe buffer.address.storeBytes(of: 1, as: UInt64.self)
            }
            pool.give(one)
            pool.give(two)
        }
        #expect(pool.statistics.inUse == 0 && pool.cacheCapacity == 0)
    }

    private func expect(_ result: ExitTest.Result?, says words: String) throws {
        let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(text.contains("DMA buffer at 0x") && text.contains(words), "\(text)")
    }
}

private func checkedPool() throws -> DMABufferPool {
    let domain = try DMADomain(try VDPADevice(SimulatedDevice(.vdpaSimNet())))
    return try DMABufferPool(domain, bufferSize: 1024, count: 8, options: .init(checks: .on))
}
