import CDatapath
import Synchronization

/// Who has which buffer of a `TestPool`, kept by those who have it: shows one in two hands.
@safe
final class OwnerTable: @unchecked Sendable {
    // Safe to send: every access is atomic.
    private let words: UnsafeMutablePointer<UInt64>
    private let perRegion: Int
    private let count: Int
    private let clashCount = Atomic<Int>(0)

    var clashes: Int { clashCount.load(ordering: .relaxed) }

    init(count perRegion: Int, regions: Int = 1) {
        self.perRegion = perRegion
        count = perRegion * regions
        unsafe words = .allocate(capacity: count)
        unsafe words.initialize(repeating: 0, count: count)
    }

    deinit { unsafe words.deallocate() }

    func enter(_ buffer: cdp_buffer, _ thread: Int) { change(buffer, 0, UInt64(thread) + 1) }
    func leave(_ buffer: cdp_buffer, _ thread: Int) { change(buffer, UInt64(thread) + 1, 0) }

    private func change(_ buffer: cdp_buffer, _ from: UInt64, _ to: UInt64) {
        let region = Int(buffer.address >> 32) - 1
        let index = region * perRegion + Int(buffer.address & 0xffff_ffff) / 256
        precondition((0..<count).contains(index), "a buffer of the pool")
        // Safe: in bounds.
        let isDone = unsafe cdp_exchange_if(words + index, from, to)
        if !isDone || !buffer.isWhole { clashCount.add(1, ordering: .relaxed) }
    }
}
