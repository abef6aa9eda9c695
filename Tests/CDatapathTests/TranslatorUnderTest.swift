import CDatapath

/// A range that both directions know.
struct MappedRange: Hashable, Sendable {
    var iova: UInt64
    var address: UInt64
    var byteCount: UInt64

    var lastIOVA: UInt64 { iova + (byteCount - 1) }
    var lastAddress: UInt64 { address + (byteCount - 1) }

    func meets(_ other: MappedRange) -> Bool {
        iova <= other.lastIOVA && other.iova <= lastIOVA
            || address <= other.lastAddress && other.address <= lastAddress
    }
}

/// The C tables with an owner. One thread changes them; reading is anybody's.
@safe
final class TranslatorUnderTest: @unchecked Sendable {
    // Safe to send: see cdatapath_translator.h.
    private let tables: OpaquePointer
    private let toIOVA: cdp_table
    private let toAddress: cdp_table

    /// nil where a mapping was refused.
    init?(iovaFirst: UInt64 = 0, mappings: UInt64 = .max) {
        guard let tables = unsafe cdp_translator_create(iovaFirst, mappings) else { return nil }
        unsafe self.tables = tables
        unsafe toIOVA = cdp_translator_to_iova(tables)
        unsafe toAddress = cdp_translator_to_address(tables)
    }

    deinit { unsafe cdp_translator_destroy(tables) }

    var residentBytes: UInt64 { unsafe cdp_translator_resident_bytes(tables) }
    var reservedBytes: UInt64 { unsafe cdp_translator_reserved_bytes(tables) }

    func allow(_ mappings: UInt64) { unsafe cdp_translator_allow(tables, mappings) }

    func prepare(_ range: MappedRange, inParts: Bool = false) -> Int32 {
        unsafe cdp_translator_prepare(
            tables, range.iova, range.address, range.byteCount, inParts)
    }

    func insert(_ range: MappedRange) -> Bool {
        unsafe cdp_translator_insert(tables, range.iova, range.address, range.byteCount)
    }

    func remove(_ range: MappedRange) {
        unsafe cdp_translator_remove(tables, range.iova, range.address, range.byteCount)
    }

    func reclaim(_ range: MappedRange) {
        unsafe cdp_translator_reclaim(tables, range.iova, range.address, range.byteCount)
    }

    func iova(of address: UInt64, _ count: UInt64) -> UInt64? {
        let found = unsafe cdp_translate(toIOVA, address, count)
        return found.is_found ? found.target : nil
    }

    func address(of iova: UInt64, _ count: UInt64) -> UInt64? {
        let found = unsafe cdp_translate(toAddress, iova, count)
        return found.is_found ? found.target : nil
    }

    func run(address: UInt64, _ limit: UInt64) -> cdp_run {
        unsafe withUnsafePointer(to: toIOVA) { unsafe cdp_translate_run($0, address, limit) }
    }

    func run(iova: UInt64, _ limit: UInt64) -> cdp_run {
        unsafe withUnsafePointer(to: toAddress) { unsafe cdp_translate_run($0, iova, limit) }
    }
}
