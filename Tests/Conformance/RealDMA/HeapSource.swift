internal import VDPAMemory
internal import VirtioDriver

/// Blocks of a heap, of whatever size a transfer has: several threads' heap, as requests complete
/// on any of them.
final class HeapSource: BufferSource {
    private let heap: SharedDMAHeap
    private var taken: [Int: DMABlock] = [:]
    private var next = 0

    init(_ domain: DMADomain) throws {
        // All extents at the start: VDUSE's daemon does not survive a message under load.
        heap = try SharedDMAHeap(
            domain, options: .init(extentCapacity: 4, initialByteCount: 8 << 20))
    }

    func take(byteCount: Int, forWriting: Bool) -> [Lease]? {
        guard let block = heap.take(byteCount: byteCount, alignment: 512) else { return nil }
        next += 1
        taken[next] = block
        let memory = DriverMemory(block).part(from: 0, byteCount: byteCount)
        return [Lease(block: memory, key: next, pooled: nil)]
    }

    func give(_ leases: [Lease]) {
        for lease in leases {
            if let block = taken.removeValue(forKey: lease.key) { heap.give(block) }
        }
    }
}
