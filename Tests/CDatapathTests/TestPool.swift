import CDatapath
import TestSupport

/// A pool of buffers that nobody touches: numbers that stand for addresses.
@safe
final class TestPool: @unchecked Sendable {
    // Safe to send: a pool is for all threads; the tests end it once nobody uses it.
    private let pool: OpaquePointer
    let stride: UInt64 = 256
    private var isAlive = true

    init(count: Int, cache: Int = 8, lowWaterMark: Int = 0, checks: Bool = false) {
        var options = cdp_pool_options(
            stride: stride, byte_count: 100, headroom: 0, cache_capacity: UInt32(cache),
            low_water_mark: UInt32(lowWaterMark), checks: checks)
        // Safe: read during the call.
        guard let pool = unsafe cdp_pool_create(&options) else { fatalError("no memory") }
        unsafe self.pool = pool
        if count > 0 { add(region: 0, count: count) }
    }

    deinit { if isAlive { end() } }

    func end() {
        isAlive = false
        unsafe cdp_pool_destroy(pool)
    }

    /// Regions lie 2^32 apart.
    func add(region: Int, count: Int) {
        precondition(tryToAdd(region: region, count: count), "no memory")
    }

    func tryToAdd(region: Int, count: Int) -> Bool {
        var place = cdp_pool_region(
            address: UInt64(region + 1) << 32, iova: UInt64(region + 1) << 40,
            count: UInt32(count))
        return unsafe cdp_pool_add(pool, &place) == 0
    }

    /// The numbers of the regions that went.
    func trim() -> [Int] {
        let limit = 64
        // Safe: the call writes at most `limit` and says how many.
        let places = unsafe [cdp_pool_region](unsafeUninitializedCapacity: limit) { places, count in
            unsafe count = cdp_pool_trim(pool, places.baseAddress!, limit)
        }
        return places.map { Int($0.address >> 32) - 1 }.sorted()
    }

    func take() -> cdp_buffer? {
        let buffer = unsafe cdp_pool_take(pool)
        return buffer.address == 0 ? nil : buffer
    }

    func give(_ buffer: cdp_buffer) { unsafe cdp_pool_give(pool, buffer) }

    func take(_ count: Int) -> [cdp_buffer] {
        // Safe: as above.
        unsafe [cdp_buffer](unsafeUninitializedCapacity: count) { buffers, done in
            unsafe done = count == 0 ? 0 : cdp_pool_take_bulk(pool, buffers.baseAddress!, count)
        }
    }

    func give(_ buffers: [cdp_buffer]) {
        guard !buffers.isEmpty else { return }
        // Safe: read during the call.
        unsafe buffers.withUnsafeBufferPointer {
            unsafe cdp_pool_give_bulk(pool, $0.baseAddress!, $0.count)
        }
    }

    /// Everything that this thread can have.
    func takeAll() -> [cdp_buffer] {
        var all: [cdp_buffer] = []
        while let buffer = take() { all.append(buffer) }
        return all
    }

    var figures: cdp_pool_figures {
        var figures = cdp_pool_figures()
        unsafe cdp_pool_read_figures(pool, &figures)
        return figures
    }

    var isLow: Bool { unsafe cdp_pool_is_low(pool) }
    func clearLow() -> Bool { unsafe cdp_pool_clear_low_water(pool) }
}

extension cdp_buffer {
    /// Which buffer of a `TestPool` it is.
    var name: UInt64 { address }
    /// Whether address and IOVA belong together.
    var isWhole: Bool { iova == (address >> 32) << 40 | address & 0xffff_ffff }
}
