internal import CNUMA
internal import Glibc

/// The one owner of a range of mapped addresses: unmaps it at the end of its life.
struct MemoryMapping: ~Copyable, Sendable {
    private(set) var address: UInt
    private(set) var byteCount: Int
    private let system: SystemCalls
    /// A forked child has a hole here (MADV_DONTFORK), where it may have mapped something else
    /// since.
    private let processID = getpid()

    /// Maps a whole file, shared and writable, at an address aligned to `alignment`. hugetlb
    /// reserves its pages here, so a pool that is short is refused at this step (ENOMEM) and not
    /// when a page is touched.
    static func create(
        of file: borrowing MemoryFile, byteCount: Int, pages: PageSize, _ system: SystemCalls
    ) throws(HostMemoryError) -> MemoryMapping {
        // The kernel aligns hugetlb mappings, but not ordinary ones.
        var mapping =
            pages == .transparent2MiB
            ? try MemoryMapping.reserve(byteCount, alignment: pages.byteCount, system)
            : MemoryMapping(address: 0, byteCount: 0, system: system)
        let result = system.map(file.descriptor, byteCount: byteCount, at: mapping.address)
        guard result >= 0 else {
            var error = HostMemoryError(.map, result)
            if pages.isHugetlb, result == -Int64(ENOMEM) { error.code = .exhausted }
            throw error
        }
        mapping.address = UInt(result)
        mapping.byteCount = byteCount
        return mapping
    }

    /// Reserves addresses without memory, with room to align them, and trims what is too much.
    private static func reserve(
        _ byteCount: Int, alignment: Int, _ system: SystemCalls
    ) throws(HostMemoryError) -> MemoryMapping {
        let result = system.reserve(byteCount: byteCount + alignment)
        guard result >= 0 else { throw HostMemoryError(.reserve, result) }
        var mapping = MemoryMapping(
            address: UInt(result), byteCount: byteCount + alignment, system: system)
        let head = (alignment - Int(result % Int64(alignment))) % alignment
        if head > 0 { try mapping.trim(head: head) }
        if mapping.byteCount > byteCount { try mapping.trim(to: byteCount) }
        return mapping
    }

    private mutating func trim(head count: Int) throws(HostMemoryError) {
        let result = system.trim(address, byteCount: count)
        guard result >= 0 else { throw HostMemoryError(.trim, result) }
        address += UInt(count)
        byteCount -= count
    }

    /// Unmaps what lies behind the first `count` bytes.
    mutating func trim(to count: Int) throws(HostMemoryError) {
        let result = system.trim(address + UInt(count), byteCount: byteCount - count)
        guard result >= 0 else { throw HostMemoryError(.trim, result) }
        byteCount = count
    }

    /// madvise(2) over the whole range.
    func advise(_ call: SystemCall) throws(HostMemoryError) {
        let result = system.advise(call, address, byteCount: byteCount)
        guard result >= 0 else { throw HostMemoryError(call, result) }
    }

    deinit {
        if byteCount > 0, getpid() == processID { system.unmap(address, byteCount: byteCount) }
    }
}
