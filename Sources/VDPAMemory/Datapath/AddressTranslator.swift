public import CDatapath
public import IOVAAllocator

/// Where memory is for the device, and what an IOVA is in this process, in nanoseconds, while other
/// threads map and unmap: `DMADomain.translator`.
///
/// It answers for every region that lives, allocated or registered, byte for byte, and for no
/// others: from the moment at which its allocation, registration or batch returns, until its free
/// begins. A translation that begins after a free has returned finds nothing, also where unmapping
/// is deferred or the region was part of a shared extent; after `close()`, or once the domain is
/// gone, nothing is found at all. A translation that overlaps a free may answer with what was there
/// before.
///
/// - Contiguity: a range is found where it goes on in one piece on both sides, across regions that
///   happen to lie side by side as well. A range of more than 2 MiB is looked at part by part; each
///   part was there at some moment during the call.
/// - Memory at several IOVAs, because it was registered more than once: each IOVA has its address,
///   and the address has the lowest of the IOVAs, whatever the order of the calls; when that region
///   goes, the next higher one.
/// - Threads: any number, without a lock, a system call, an allocation or a reference count. Copies
///   share the tables, which outlive the domain as long as a copy does.
/// - Complexity: O(1), one load, for what lies inside 2 MiB (aligned) that one region covers; two
///   loads for a part of a page of a smaller region; else O(1) per 2 MiB of the range, per GiB
///   where one region covers all of it, and per 4 KiB where regions cover 2 MiB in parts.
/// - Memory: 16 bytes for each 2 MiB mapped, in pages of 4 KiB for each GiB, and 8 KiB for each 2
///   MiB that is mapped in parts; at most 16 KiB per region, 8 KiB per GiB and 16 KiB per 512 GiB
///   with something in them, however sparsely, and the page tables for it. It goes back to the
///   kernel with the regions; small regions' with their shared extent. About 1 GiB of address space
///   is reserved, and 514 MiB for each other part of 2^47 bytes that a region lies in.
@safe
public struct AddressTranslator: @unchecked Sendable {
    // Safe to send: pointers to what threads share, read by acquire loads alone.
    @usableFromInline let toIOVA: cdp_table
    @usableFromInline let toAddress: cdp_table
    /// Keeps the tables.
    private let tables: TranslationTables

    /// What the C interface works on, as long as a copy of this lives.
    package var datapath: (toIOVA: cdp_table, toAddress: cdp_table) {
        unsafe (toIOVA, toAddress)
    }

    init(_ tables: TranslationTables) {
        self.tables = tables
        unsafe toIOVA = tables.toIOVA
        unsafe toAddress = tables.toAddress
    }

    /// Where the device finds `count` bytes, or nil unless all of them are mapped in one piece.
    ///
    /// - Parameter address: the first byte in this process.
    /// - Parameter count: at least 1; less is never found.
    @inlinable @inline(__always)
    public func iova(of address: UnsafeRawPointer, count: Int) -> IOVA? {
        // Safe: the address is only a number here, and the tables are as long as this value.
        // Addresses' home is sector 0, always: said here, it costs no subtraction.
        let table = unsafe cdp_table(
            home: toIOVA.home, home_first: 0, sectors: toIOVA.sectors)
        let found = unsafe cdp_translate(
            table, UInt64(UInt(bitPattern: address)), UInt64(bitPattern: Int64(count)))
        return found.is_found ? IOVA(found.target) : nil
    }

    /// Where this process finds `count` bytes, or nil unless all of them are mapped in one piece.
    ///
    /// The pointer is valid as long as the region is.
    ///
    /// - Parameter iova: the first byte as the device addresses it.
    /// - Parameter count: at least 1; less is never found.
    @inlinable @inline(__always)
    public func address(of iova: IOVA, count: Int) -> UnsafeMutableRawPointer? {
        // Safe: as above; the pointer is the caller's to use while the region lives.
        let found = unsafe cdp_translate(
            toAddress, iova.rawValue, UInt64(bitPattern: Int64(count)))
        return unsafe found.is_found
            ? UnsafeMutableRawPointer(bitPattern: UInt(found.target)) : nil
    }

    /// Where the device finds the byte at `address`, and how many go on from there in one piece, up
    /// to `limit`; nil where it is not mapped, or the limit is below 1.
    @inlinable
    public func translation(of address: UnsafeRawPointer, limit: Int = .max) -> DMASegment? {
        let bits = UInt64(UInt(bitPattern: address))
        let run = unsafe withUnsafePointer(to: toIOVA) { table in
            // Safe: as above.
            unsafe cdp_translate_run(table, bits, UInt64(max(limit, 0)))
        }
        guard run.byte_count > 0 else { return nil }
        return DMASegment(
            cdp_segment(address: bits, iova: run.target, byte_count: run.byte_count))
    }

    /// Where this process finds the byte at `iova`, and how many go on from there in one piece, up
    /// to `limit`; nil where it is not mapped, or the limit is below 1.
    @inlinable
    public func translation(of iova: IOVA, limit: Int = .max) -> DMASegment? {
        let run = unsafe withUnsafePointer(to: toAddress) { table in
            // Safe: as above.
            unsafe cdp_translate_run(table, iova.rawValue, UInt64(max(limit, 0)))
        }
        guard run.byte_count > 0 else { return nil }
        return DMASegment(
            cdp_segment(address: run.target, iova: iova.rawValue, byte_count: run.byte_count))
    }
}
