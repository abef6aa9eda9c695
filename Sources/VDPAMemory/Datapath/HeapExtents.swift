internal import CDatapath
internal import Glibc
internal import Synchronization

/// The extents of a heap, and its bookkeeping: what both kinds of heap grow, trim and free.
///
/// Mapping happens with no lock held: a number is put aside for each extent first.
@safe
final class HeapExtents: Sendable {
    enum Slot {
        case empty
        /// An extent is being mapped or unmapped.
        case busy
        case held(HeapExtent)
    }

    // Safe: made in init, destroyed in deinit; changed with its own lock held.
    nonisolated(unsafe) let heap: UnsafeMutablePointer<cdp_heap>
    private let domain: DMADomain
    private let options: DMAHeapOptions
    private let slots: Mutex<[Slot]>

    /// - Parameter options: settled.
    init(_ domain: DMADomain, _ options: DMAHeapOptions) throws(DMAError) {
        let raw = cdp_heap_options(
            granule_byte_count: UInt64(options.granuleByteCount),
            extent_byte_count: UInt64(options.extentByteCount),
            extent_capacity: UInt32(options.extentCapacity),
            low_byte_count: UInt64(min(options.lowWaterMark, 1 << 60)),
            search_limit: UInt64(options.searchLimit))
        guard let heap = unsafe cdp_heap_create(raw) else {
            throw HeapExtents.creationError(errno, options)
        }
        unsafe self.heap = heap
        self.domain = domain
        self.options = options
        slots = Mutex(Array(repeating: .empty, count: options.extentCapacity))
    }

    private static func creationError(_ errno: Int32, _ options: DMAHeapOptions) -> DMAError {
        let what =
            "The bookkeeping of \(options.extentCapacity) extents of \(options.extentByteCount) "
            + "bytes in granules of \(options.granuleByteCount)"
        guard errno == ENOMEM else {
            return DMAError(
                .invalidArgument, what + " has more than 2^26 granules.",
                remedy: "Use fewer extents or larger granules.")
        }
        return DMAError(
            .hostMemory, what + " could not be had.",
            remedy: "Use fewer extents, or raise the limit of address space (ulimit -v).",
            errno: errno)
    }

    /// The last user is gone, and with him all right to the blocks.
    deinit {
        do throws(DMAError) {
            try free()
        } catch {
            // Counted by the domain, which keeps what it could not unmap in quarantine.
        }
        unsafe cdp_heap_destroy(heap)
    }

    // MARK: growing

    func grow(byteCount: Int) throws(DMAError) {
        guard byteCount >= 0 else {
            throw DMAError(
                .invalidArgument, "A heap is to grow by \(byteCount) bytes.",
                remedy: "Give the bytes to add.")
        }
        let whole = byteCount / options.extentByteCount
        let count = byteCount % options.extentByteCount == 0 ? whole : whole + 1
        guard count > 0 else { return }
        let numbers = try putAside(count)
        do throws(DMAError) {
            let new = try allocate(count)
            for (number, extent) in zip(numbers, new) { install(extent, number) }
        } catch {
            settle(numbers) { _ in .empty }
            throw error
        }
    }

    func add(_ region: consuming DMARegion) throws(DMAError) {
        guard region.domain === domain else {
            throw DMAError(
                .invalidArgument, "The region is of another domain than the heap.",
                remedy: "Make a heap for each domain.", range: region.range)
        }
        guard region.byteCount <= options.extentByteCount else {
            throw DMAError(
                .invalidArgument,
                "A region of \(region.byteCount) bytes, and extents of "
                    + "\(options.extentByteCount) at most.",
                remedy: "Make the heap with a larger `extentByteCount`.", range: region.range,
                needed: UInt64(region.byteCount), limit: UInt64(options.extentByteCount))
        }
        let extent = HeapExtent(region)
        try extent.requireAlignment(options.alignment, region.range)
        let number = try putAside(1)[0]
        _ = region.handOver()
        install(extent, number)
    }

    /// Numbers for extents that are to come.
    private func putAside(_ count: Int) throws(DMAError) -> [Int] {
        let capacity = options.extentCapacity
        let numbers: [Int]? = slots.withLock { slots in
            var found: [Int] = []
            for (number, slot) in slots.enumerated() where found.count < count {
                if case .empty = slot { found.append(number) }
            }
            guard found.count == count else { return nil }
            for number in found { slots[number] = .busy }
            return found
        }
        guard let numbers else {
            throw DMAError(
                .heapCapacity, "The heap has no room for \(count) more extents of \(capacity).",
                remedy: "Make the heap with a larger `extentCapacity` or larger extents.",
                needed: UInt64(count), limit: UInt64(capacity))
        }
        return numbers
    }

    /// Extents mapped in one batch; none where anything fails.
    private func allocate(_ count: Int) throws(DMAError) -> [HeapExtent] {
        let ids = try domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            for _ in 0..<count {
                ids.append(
                    try batch.allocate(
                        byteCount: options.extentByteCount, options: options.memory))
            }
            return ids
        }
        var owned: [HeapExtent] = []
        do throws(DMAError) {
            for id in ids {
                let (info, memory) = try domain.own(id)
                owned.append(HeapExtent(id, info, memory))
                try owned[owned.count - 1].requireAlignment(options.alignment, info.range)
            }
        } catch {
            for (index, id) in ids.enumerated() where index >= owned.count {
                // Not owned yet: by its ID. A closed domain has freed it already.
                try? domain.free(id)
            }
            for extent in owned { domain.freeUnreported(extent.id) }
            throw error
        }
        return owned
    }

    /// - Parameter isNew: whether the heap has grown, so that the flag can go down.
    private func install(_ extent: HeapExtent, _ number: Int, isNew: Bool = true) {
        let size = UInt64(extent.byteCount)
        settle([number]) { _ in .held(extent) }
        unsafe cdp_heap_lock(heap)
        // Under the lock: a refusal that comes later raises it again.
        if isNew { unsafe cdp_heap_lower_low(heap) }
        unsafe cdp_heap_add_extent(
            heap, UInt32(number), UInt64(extent.address), extent.iova, size)
        unsafe cdp_heap_unlock(heap)
    }

    private func settle(_ numbers: [Int], _ slot: (Int) -> Slot) {
        slots.withLock { slots in
            for number in numbers { slots[number] = slot(number) }
        }
    }

    // MARK: trimming

    func trim(keeping: Int) throws(DMAError) -> Int {
        let taken = takeFree(keeping: keeping)
        guard !taken.isEmpty else { return 0 }
        do throws(DMAError) {
            try domain.commit([.free(taken.map(\.extent.id), FreeRight(byOwner: true))])
        } catch {
            for (number, extent) in taken { install(extent, number, isNew: false) }
            throw error
        }
        settle(taken.map(\.number)) { _ in .empty }
        return taken.count
    }

    /// Takes extents that are free out of the heap, the highest numbers first.
    private func takeFree(keeping: Int) -> [(number: Int, extent: HeapExtent)] {
        slots.withLock { slots in
            unsafe cdp_heap_lock(heap)
            defer { unsafe cdp_heap_unlock(heap) }
            var kept = 0
            var taken: [(number: Int, extent: HeapExtent)] = []
            for number in slots.indices {
                guard case .held(let extent) = slots[number],
                    unsafe cdp_heap_extent_is_free(heap, UInt32(number))
                else { continue }
                if kept < keeping {
                    kept += 1
                } else if unsafe cdp_heap_remove_extent(heap, UInt32(number)) {
                    slots[number] = .busy
                    taken.append((number, extent))
                }
            }
            return taken
        }
    }

    // MARK: the end

    /// Frees all extents, whatever blocks are out.
    func free() throws(DMAError) {
        let held = slots.withLock { slots in
            let held = slots.compactMap { slot -> HeapExtent? in
                guard case .held(let extent) = slot else { return nil }
                return extent
            }
            for number in slots.indices { slots[number] = .empty }
            return held
        }
        guard !held.isEmpty else { return }
        do throws(DMAError) {
            try domain.commit([.free(held.map(\.id), FreeRight(byOwner: true))])
        } catch {
            // One by one: what can be freed is, and the rest goes to quarantine.
            for extent in held { domain.freeUnreported(extent.id) }
            throw error
        }
    }

    // MARK: reports

    var statistics: DMAHeapStatistics {
        unsafe cdp_heap_lock(heap)
        defer { unsafe cdp_heap_unlock(heap) }
        return DMAHeapStatistics(unsafe cdp_heap_statistics(heap))
    }

    func invariantViolation() -> String? {
        unsafe cdp_heap_lock(heap)
        defer { unsafe cdp_heap_unlock(heap) }
        return unsafe cdp_heap_fault(heap).map { unsafe String(cString: $0) }
    }
}
