internal import CBenchmark
internal import IOVAAllocator
internal import VDPAMemory

/// One thread's part of a pool: the loops that are timed, over the pool's public interface.
@safe
final class PoolWorker: @unchecked Sendable {
    // Safe to send: one thread at a time uses it, handed over through `PinnedThread`.
    let pool: DMABufferPool
    private let burst: Int
    /// A burst, or what is outstanding.
    private let space: UnsafeMutableBufferPointer<DMABuffer>
    private var oldest = 0
    /// Over the last buffer of each burst.
    private(set) var checksum: UInt64 = 0

    init(_ pool: DMABufferPool, burst: Int) {
        self.pool = pool
        self.burst = burst
        unsafe space = .allocate(capacity: PoolSuite.outstanding)
        unsafe space.initialize(repeating: .none)
    }

    deinit { unsafe space.deallocate() }

    /// Takes what a ring has outstanding: by the thread that runs it.
    func fillRing() {
        let count = unsafe pool.take(into: space)
        precondition(count == PoolSuite.outstanding, "the pool holds what is outstanding")
    }

    func emptyRing() { unsafe pool.give(UnsafeBufferPointer(space)) }

    func run(_ use: PoolUse, buffers: Int) {
        switch (use, burst) {
        case (.lifo, 1): lifo(steps: buffers)
        case (.lifo, _): lifoBurst(steps: buffers / burst)
        case (.ring, 1): ring(steps: buffers)
        case (.ring, _): ringBurst(steps: buffers / burst)
        }
    }

    @inline(never)
    private func lifo(steps: Int) {
        let pool = pool
        var sum: UInt64 = 0
        for _ in 0..<steps {
            guard let buffer = pool.take() else { fatalError("a buffer is free") }
            sum &+= buffer.iova.rawValue
            pool.give(buffer)
        }
        checksum &+= sum
    }

    @inline(never)
    private func lifoBurst(steps: Int) {
        let (pool, burst) = (pool, burst)
        // In bounds: a burst is at most what is outstanding, here and below.
        let buffers = unsafe UnsafeMutableBufferPointer(rebasing: space[0..<burst])
        var sum: UInt64 = 0
        for _ in 0..<steps {
            guard unsafe pool.take(into: buffers) == burst else { fatalError("a burst is free") }
            sum &+= unsafe buffers[burst - 1].iova.rawValue
            unsafe pool.give(UnsafeBufferPointer(buffers))
        }
        checksum &+= sum
    }

    @inline(never)
    private func ring(steps: Int) {
        let (pool, space) = unsafe (pool, self.space.baseAddress!)
        var (sum, at): (UInt64, Int) = (0, oldest)
        for _ in 0..<steps {
            // What lies in memory stays there: bursts of one, not by way of registers.
            let buffer = unsafe UnsafeMutableBufferPointer(start: space + at, count: 1)
            unsafe pool.give(UnsafeBufferPointer(buffer))
            guard unsafe pool.take(into: buffer) == 1 else { fatalError("a buffer is free") }
            sum &+= unsafe buffer[0].iova.rawValue
            at = (at &+ 1) & (PoolSuite.outstanding - 1)
        }
        oldest = at
        checksum &+= sum
    }

    @inline(never)
    private func ringBurst(steps: Int) {
        let (pool, burst, space) = unsafe (pool, self.burst, self.space.baseAddress!)
        var (sum, at): (UInt64, Int) = (0, oldest)
        for _ in 0..<steps {
            let buffers = unsafe UnsafeMutableBufferPointer(start: space + at, count: burst)
            unsafe pool.give(UnsafeBufferPointer(buffers))
            guard unsafe pool.take(into: buffers) == burst else { fatalError("a burst is free") }
            sum &+= unsafe buffers[burst - 1].iova.rawValue
            at = (at &+ burst) & (PoolSuite.outstanding - 1)
        }
        oldest = at
        checksum &+= sum
    }

    /// Takes bursts and hands them over.
    func send(_ count: Int, through ring: PoolRing) {
        burst == 1 ? sendOne(count, ring) : sendBurst(count, ring)
    }

    /// Gives back what is handed over.
    func receive(_ count: Int, through ring: PoolRing) {
        burst == 1 ? receiveOne(count, ring) : receiveBurst(count, ring)
    }

    @inline(never)
    private func sendOne(_ count: Int, _ ring: PoolRing) {
        let (pool, ring) = unsafe (pool, ring.ring)
        for _ in 0..<count {
            var taken = pool.take()
            while taken == nil {
                // The other thread has the rest.
                PoolRing.pause()
                taken = pool.take()
            }
            guard let buffer = taken else { continue }
            let address = unsafe UInt64(UInt(bitPattern: buffer.address))
            while unsafe !cbench_ring_push_one(ring, address, buffer.iova.rawValue) {
                PoolRing.pause()
            }
        }
    }

    @inline(never)
    private func receiveOne(_ count: Int, _ ring: PoolRing) {
        let (pool, ring) = unsafe (pool, ring.ring)
        var sum: UInt64 = 0
        var left = count
        while left > 0 {
            let element = unsafe cbench_ring_pop_one(ring)
            guard let address = unsafe UnsafeMutableRawPointer(bitPattern: UInt(element.address))
            else {
                PoolRing.pause()
                continue
            }
            sum &+= element.iova
            unsafe pool.give(DMABuffer(address: address, iova: IOVA(element.iova)))
            left -= 1
        }
        checksum &+= sum
    }

    @inline(never)
    private func sendBurst(_ count: Int, _ ring: PoolRing) {
        let (pool, burst, ring) = unsafe (pool, burst, ring.ring)
        let buffers = unsafe UnsafeMutableBufferPointer(rebasing: space[0..<burst])
        for _ in 0..<count / burst {
            var there = unsafe pool.take(into: buffers)
            while there < burst {
                unsafe pool.give(UnsafeBufferPointer(rebasing: buffers[0..<there]))
                PoolRing.pause()
                there = unsafe pool.take(into: buffers)
            }
            while unsafe !cbench_ring_push(ring, buffers.baseAddress, UInt64(burst)) {
                PoolRing.pause()
            }
        }
    }

    @inline(never)
    private func receiveBurst(_ count: Int, _ ring: PoolRing) {
        let (pool, burst, ring) = unsafe (pool, burst, ring.ring)
        let buffers = unsafe UnsafeMutableBufferPointer(rebasing: space[0..<burst])
        var sum: UInt64 = 0
        for _ in 0..<count / burst {
            while unsafe !cbench_ring_pop(ring, buffers.baseAddress, UInt64(burst)) {
                PoolRing.pause()
            }
            sum &+= unsafe buffers[burst - 1].iova.rawValue
            unsafe pool.give(UnsafeBufferPointer(buffers))
        }
        checksum &+= sum
    }
}

/// The ring between two threads.
@safe
final class PoolRing: @unchecked Sendable {
    // Safe to send: made for one producer and one consumer.
    let ring: UnsafeMutablePointer<cbench_ring>

    init() {
        unsafe ring = UnsafeMutableRawPointer.allocate(
            byteCount: MemoryLayout<cbench_ring>.size, alignment: 128
        ).bindMemory(to: cbench_ring.self, capacity: 1)
        unsafe UnsafeMutableRawPointer(ring).initializeMemory(
            as: UInt8.self, repeating: 0, count: MemoryLayout<cbench_ring>.size)
    }

    deinit { unsafe UnsafeMutableRawPointer(ring).deallocate() }

    /// Long enough for the other side to get ahead: who asks at once takes the line from under it.
    @inline(__always)
    static func pause() {
        for _ in 0..<16 { cbench_pause() }
    }
}
