import CProbe
import Glibc
import VDPAMemory
import VDPASimulator

// A million operations of each kind, in a child that dies at the first system call and counts its
// allocations: none. Two children that do what must not be show that the probe would find it.
// Everything is made in the child itself: a domain is of no use in a forked one.
//
// Not in main.swift, whose functions look at each call whether they run on the main actor.

let operations = 1_000_000

/// What is measured: set up, then run with the door closed.
enum Work: Int32, CaseIterable {
    case pool, poolBulk, heap, sharedHeap, iova, address, segments
    /// Must be found.
    case allocates, calls
}

struct Rig: ~Copyable {
    let domain: DMADomain
    let pool: DMABufferPool
    var heap: DMAHeap
    let shared: SharedDMAHeap
    let region: DMARegion
    let translator: AddressTranslator
    var sum: UInt64 = 0

    init() throws {
        let domain = try DMADomain(try VDPADevice(SimulatedDevice()))
        let pool = try DMABufferPool(domain, bufferSize: 2048, count: 4096)
        let shared = try SharedDMAHeap(domain)
        let translator = try domain.translator
        let heap = try DMAHeap(domain)
        let region = try domain.allocate(byteCount: 8 << 20)
        (self.domain, self.pool, self.shared, self.translator) = (domain, pool, shared, translator)
        self.heap = heap
        self.region = region
    }

    mutating func run(_ work: Work, times: Int) {
        switch work {
        case .pool:
            for _ in 0..<times {
                guard let buffer = pool.take() else { fatalError("the pool is exhausted") }
                sum &+= buffer.iova.rawValue
                pool.give(buffer)
            }
        case .poolBulk:
            var buffers = InlineArray<32, DMABuffer>(repeating: .none)
            for _ in 0..<times / 32 {
                var span = buffers.mutableSpan
                guard pool.take(into: &span) == 32 else { fatalError("the pool is exhausted") }
                sum &+= buffers[31].iova.rawValue
                pool.give(buffers.span)
            }
        case .heap:
            for index in 0..<times {
                guard let block = heap.take(byteCount: 64 + index & 0x3ff) else {
                    fatalError("the heap is exhausted")
                }
                sum &+= block.iova.rawValue
                heap.give(block)
            }
        case .sharedHeap:
            for index in 0..<times {
                guard let block = shared.take(byteCount: 64 + index & 0x3ff) else {
                    fatalError("the heap is exhausted")
                }
                sum &+= block.iova.rawValue
                shared.give(block)
            }
        case .iova:
            for index in 0..<times {
                let address = region.address + (index &* 4096) & 0x7f_f000
                guard let iova = translator.iova(of: address, count: 64) else {
                    fatalError("a live address is not found")
                }
                sum &+= iova.rawValue
            }
        case .address:
            for index in 0..<times {
                let iova = IOVA(region.iova.rawValue + UInt64(index &* 4096) & 0x7f_f000)
                guard let address = translator.address(of: iova, count: 64) else {
                    fatalError("a live IOVA is not found")
                }
                sum &+= UInt64(UInt(bitPattern: address))
            }
        case .segments:
            var pieces = InlineArray<4, DMASegment>(repeating: DMASegment())
            for _ in 0..<times {
                var span = pieces.mutableSpan
                let all = UnsafeRawBufferPointer(region.bytes)
                guard case .complete(let count) = translator.segments(of: all, into: &span) else {
                    fatalError("a live region is not found")
                }
                sum &+= UInt64(count)
            }
        case .allocates: sum &+= UInt64(UInt(bitPattern: malloc(64)))
        case .calls: sum &+= UInt64(getppid())
        }
    }
}

/// In the child: 0 where nothing was allocated, 1 where something was, 2 where it could not be run.
func probe(_ number: Int32) -> Int32 {
    guard let work = Work(rawValue: number), let made = try? Rig() else { return 2 }
    // Never torn down: that would be behind the closed door.
    let rig = UnsafeMutablePointer<Rig>.allocate(capacity: 1)
    rig.initialize(to: made)
    // The first calls of a thread register it, and fill its caches.
    if work != .calls { rig.pointee.run(work, times: 1000) }
    guard cprobe_forbid_system_calls() == 0 else { return 2 }
    let before = cprobe_allocations()
    rig.pointee.run(work, times: operations)
    let allocated = cprobe_allocations() - before
    // What was computed is used, or the compiler could leave it out.
    return allocated == 0 && rig.pointee.sum != 0 ? 0 : 1
}
