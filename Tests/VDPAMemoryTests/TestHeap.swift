import VDPAMemory

/// A `DMAHeap` that the macros of Swift Testing can look at: they copy what they look at.
final class TestHeap {
    private var heap: DMAHeap

    init(_ domain: DMADomain, options: DMAHeapOptions) throws(DMAError) {
        heap = try DMAHeap(domain, options: options)
    }

    init(_ region: consuming DMARegion, options: DMAHeapOptions) throws(DMAError) {
        heap = try DMAHeap(region, options: options)
    }

    func take(byteCount: Int, alignment: Int = 1, zeroed: Bool = false) -> DMABlock? {
        heap.take(byteCount: byteCount, alignment: alignment, zeroed: zeroed)
    }

    func give(_ block: DMABlock) { heap.give(block) }
    var isLow: Bool { heap.isLow }
    func lowerFlag() { heap.lowerFlag() }
    func grow(byteCount: Int) throws(DMAError) { try heap.grow(byteCount: byteCount) }
    func add(_ region: consuming DMARegion) throws(DMAError) { try heap.add(region) }

    @discardableResult
    func trim(keeping: Int = 1) throws(DMAError) -> Int { try heap.trim(keeping: keeping) }

    var statistics: DMAHeapStatistics { heap.statistics }
    func invariantViolation() -> String? { heap.invariantViolation() }
}
