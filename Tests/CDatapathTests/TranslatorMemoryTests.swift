import CDatapath
import Glibc
import Testing

/// What the tables take, what they give back, and what happens where they get nothing.
@Suite("Memory of the translator's tables", .serialized)
struct TranslatorMemoryTests {
    private static let page: UInt64 = 4096

    @Test func `a refused mapping leaves nothing behind`() throws {
        for mappings in UInt64(0)..<3 {
            #expect(TranslatorUnderTest(mappings: mappings) == nil, "\(mappings) mappings")
        }
        let tables = try #require(TranslatorUnderTest(mappings: 3))
        // A far sector in each direction, and sub-tables: three more mappings, of which each
        // attempt gets one.
        let range = MappedRange(iova: 1 << 60, address: 1 << 47, byteCount: 3 * Self.page)
        for attempt in 0..<3 {
            #expect(tables.prepare(range) == ENOMEM, "attempt \(attempt)")
            #expect(tables.iova(of: range.address, 1) == nil)
            #expect(tables.address(of: range.iova, 1) == nil)
            tables.allow(1)
        }
        #expect(tables.prepare(range) == 0)
        let reserved = tables.reservedBytes
        #expect(!tables.insert(range))
        #expect(tables.iova(of: range.address, 3 * Self.page) == range.iova)
        tables.remove(range)
        // Whatever was prepared serves again.
        tables.allow(0)
        #expect(tables.prepare(range) == 0)
        #expect(tables.reservedBytes == reserved)
    }

    @Test func `sparse ranges over all of 64 bits take what the bound says, and give it back`()
        throws
    {
        let tables = try #require(TranslatorUnderTest())
        let empty = tables.residentBytes
        // Single pages, each in a sector and a GiB of its own, the last one at the very end.
        let ranges = (0..<64).map { index in
            MappedRange(
                iova: (UInt64(index) << 58) + ((1 << 58) - Self.page),
                address: UInt64(index + 1) << 34, byteCount: Self.page)
        }
        #expect(ranges.last?.lastIOVA == .max)
        for range in ranges {
            #expect(tables.prepare(range) == 0)
            #expect(!tables.insert(range))
        }
        for range in ranges {
            #expect(tables.address(of: range.iova, Self.page) == range.address)
            #expect(tables.address(of: range.iova, Self.page + 1) == nil)
        }
        // Per region and direction: a sub-table, a page of entries, two of its 512 GiB; and in the
        // control structure a page of the directory for each 512 sectors.
        let control: UInt64 = 260 * Self.page
        let used = tables.residentBytes - empty
        #expect(used <= 64 * 2 * 4 * Self.page + control, "\(used) bytes resident")
        for range in ranges {
            tables.remove(range)
            tables.reclaim(range)
        }
        let left = tables.residentBytes - empty
        // The pages that tell where the sub-tables are.
        #expect(left <= 64 * 2 * Self.page + control, "\(left) bytes left")
        for range in ranges { #expect(tables.address(of: range.iova, 1) == nil) }
    }

    @Test func `mapping and unmapping for ever takes no more`() throws {
        let tables = try #require(TranslatorUnderTest())
        let range = MappedRange(
            iova: (5 << 30) - Self.page, address: (9 << 30) + Self.page, byteCount: 3 << 30)
        var figures: Set<[UInt64]> = []
        for round in 0..<50 {
            #expect(tables.prepare(range) == 0)
            #expect(!tables.insert(range))
            #expect(tables.iova(of: range.address, range.byteCount) == range.iova)
            tables.remove(range)
            tables.reclaim(range)
            if round > 0 { figures.insert([tables.residentBytes, tables.reservedBytes]) }
        }
        #expect(figures.count == 1, "\(figures)")
    }

    @Test func `whole granules take 8 bytes per 2 MiB in each direction`() throws {
        let tables = try #require(TranslatorUnderTest())
        let empty = tables.residentBytes
        let range = MappedRange(iova: 1 << 40, address: 1 << 41, byteCount: 256 << 30)
        #expect(tables.prepare(range) == 0)
        #expect(!tables.insert(range))
        let used = tables.residentBytes - empty
        // A page for each GiB, one of summaries and one of counts.
        #expect(used <= 2 * (256 + 2) * Self.page, "\(used) bytes resident")
        tables.remove(range)
        tables.reclaim(range)
        let left = tables.residentBytes - empty
        #expect(left <= 4 * Self.page, "\(left) bytes left")
    }

    @Test func `neighbours of a range that goes keep their pages`() throws {
        let tables = try #require(TranslatorUnderTest())
        // Two in one granule on both sides, one of them in the next granule as well.
        let first = MappedRange(iova: 0x1000, address: 0x20_0000, byteCount: 0x1000)
        let second = MappedRange(iova: 0x2000, address: 0x20_1000, byteCount: 0x40_0000)
        for range in [first, second] {
            #expect(tables.prepare(range) == 0)
            #expect(!tables.insert(range))
        }
        // Side by side on both sides: one piece.
        #expect(tables.iova(of: first.address, 0x40_1000) == first.iova)
        tables.remove(first)
        tables.reclaim(first)
        #expect(tables.iova(of: first.address, 1) == nil)
        #expect(tables.iova(of: second.address, second.byteCount) == second.iova)
        #expect(tables.address(of: second.iova, second.byteCount) == second.address)
        #expect(tables.address(of: second.iova, second.byteCount + 1) == nil)
    }

    @Test func `a piece ends where one side would wrap`() throws {
        let tables = try #require(TranslatorUnderTest())
        let high = MappedRange(iova: 0 &- 0x1000, address: 0x7000_0000, byteCount: 0x1000)
        let low = MappedRange(iova: 0, address: 0x7000_1000, byteCount: 0x1000)
        for range in [high, low] {
            #expect(tables.prepare(range) == 0)
            #expect(!tables.insert(range))
        }
        #expect(tables.iova(of: high.address, 0x1000) == high.iova)
        #expect(tables.iova(of: high.address, 0x1001) == nil)
        #expect(tables.run(address: high.address, 0x2000).byte_count == 0x1000)
        #expect(tables.run(iova: high.iova, .max).byte_count == 0x1000)
        #expect(tables.iova(of: low.address, 0x1000) == 0)
        #expect(tables.address(of: .max, 1) == 0x7000_0fff)
        #expect(tables.address(of: .max, 2) == nil)
    }
}
