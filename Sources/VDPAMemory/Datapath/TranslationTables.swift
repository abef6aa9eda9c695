internal import CDatapath
internal import Glibc

/// The tables behind a domain's translators: changed by the domain under its lock, read by anybody.
///
/// Who may touch what: everything here belongs to the domain, under its lock; translators hold it
/// for its memory's sake alone, and read that through `cdp_table`. Hence `@unchecked Sendable`.
@safe
final class TranslationTables: @unchecked Sendable {
    private let tables: OpaquePointer
    /// Regions whose memory other regions map as well, by their IOVA, which is theirs alone.
    private var aliases: [UInt64: AliasedRange] = [:]

    /// - Parameters:
    ///   - first: an IOVA of those that the domain will mostly use.
    ///   - mappingLimit: how many mappings the tables may take; a test's.
    init(first: UInt64, mappingLimit: UInt64) throws(DMAError) {
        guard let tables = unsafe cdp_translator_create(first, mappingLimit) else {
            throw TranslationTables.refused(errno)
        }
        unsafe self.tables = tables
    }

    deinit { unsafe cdp_translator_destroy(tables) }

    var toIOVA: cdp_table { unsafe cdp_translator_to_iova(tables) }
    var toAddress: cdp_table { unsafe cdp_translator_to_address(tables) }

    /// The memory that the tables hold now, for reports and tests.
    ///
    /// System calls: some mincore(2).
    var residentByteCount: UInt64 { unsafe cdp_translator_resident_bytes(tables) }
    var reservedByteCount: UInt64 { unsafe cdp_translator_reserved_bytes(tables) }

    /// For tests.
    func allow(mappings: UInt64) { unsafe cdp_translator_allow(tables, mappings) }

    /// Takes what the range's entries need, so that `insert` cannot fail.
    ///
    /// - Parameter inParts: whether regions are carved from it; else it is one region.
    func prepare(
        iova: UInt64, address: UInt, byteCount: UInt64, inParts: Bool
    ) throws(DMAError) {
        let failure = unsafe cdp_translator_prepare(
            tables, iova, UInt64(address), byteCount, inParts)
        guard failure == 0 else { throw TranslationTables.refused(failure) }
    }

    /// Whether some of the memory has another IOVA: then `share` is to be told of all of them.
    func insert(iova: UInt64, address: UInt, byteCount: UInt64) -> Bool {
        unsafe cdp_translator_insert(tables, iova, UInt64(address), byteCount)
    }

    func remove(iova: UInt64, address: UInt, byteCount: UInt64) {
        guard !aliases.isEmpty, let range = aliases.removeValue(forKey: iova) else {
            return unsafe cdp_translator_remove(tables, iova, UInt64(address), byteCount)
        }
        unsafe cdp_translator_remove_iova(tables, iova, byteCount)
        settle(range)
        for other in aliases.values where other.overlaps(range) {
            if !aliases.values.contains(where: { $0.iova != other.iova && $0.overlaps(other) }) {
                aliases[other.iova] = nil
            }
        }
    }

    /// Gives back what holds nothing, in and around a range that has gone.
    func reclaim(iova: UInt64, address: UInt, byteCount: UInt64) {
        unsafe cdp_translator_reclaim(tables, iova, UInt64(address), byteCount)
    }

    /// Notes which regions share the memory of `range`, itself among them.
    func share(_ range: AliasedRange, _ sharers: [AliasedRange]) {
        for sharer in sharers { aliases[sharer.iova] = sharer }
        settle(range)
    }

    /// Gives every byte of the memory the lowest of its IOVAs.
    ///
    /// - Complexity: O(k log k) for k regions whose memory others map, and O(j^2) for those in
    ///   range.
    private func settle(_ range: AliasedRange) {
        let sharers = aliases.values.filter { $0.overlaps(range) }
            .sorted { $0.iova < $1.iova }
        let inside = sharers.flatMap { [$0.address, $0.end] }
            .filter { range.address < $0 && $0 < range.end }
        let bounds = Set(inside + [range.address, range.end]).sorted()
        for (first, end) in zip(bounds, bounds.dropFirst()) {
            // Sorted by IOVA: the first that covers it is the lowest.
            if let lowest = sharers.first(where: { $0.address <= first && end <= $0.end }) {
                unsafe cdp_translator_set_address(
                    tables, first, lowest.iova + (first - lowest.address), end - first)
            } else {
                unsafe cdp_translator_remove_address(tables, first, end - first)
            }
        }
    }

    private static func refused(_ number: Int32) -> DMAError {
        DMAError(
            .hostMemory, "No address space for the translator's tables.",
            remedy: "Raise the limit on address space (`ulimit -v`), vm.max_map_count, or what "
                + "vm.overcommit_memory = 2 allows; or use the domain without its translator.",
            errno: number)
    }
}

/// A region whose memory another region maps as well.
struct AliasedRange {
    let iova: UInt64
    let address: UInt64
    let byteCount: UInt64

    /// One behind the last byte: user memory ends long before 2^64.
    var end: UInt64 { address + byteCount }

    func overlaps(_ other: AliasedRange) -> Bool {
        address < other.end && other.address < end
    }
}
