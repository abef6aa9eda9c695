import Glibc
import IOVAAllocator
import Synchronization
import TestSupport
import Testing
import VDPASimulator

@testable import VDPAMemory

/// The figures of a region, without its pointer.
struct TranslatedRegion {
    let id: RegionID
    let iova: UInt64
    let address: UInt
    let byteCount: UInt64

    init(_ id: RegionID, _ domain: DMADomain) throws {
        let info = try domain.info(id)
        self.id = id
        iova = info.range.first.rawValue
        address = info.addressBits
        byteCount = info.byteCount
    }
}

extension AddressTranslator {
    /// By numbers; the tables are asked, no memory is touched.
    func iova(_ address: UInt, _ count: Int) -> UInt64? {
        unsafe iova(of: UnsafeRawPointer(bitPattern: address)!, count: count)?.rawValue
    }

    func address(_ iova: UInt64, _ count: Int) -> UInt? {
        unsafe address(of: IOVA(iova), count: count).map { UInt(bitPattern: $0) }
    }

    /// Whether all of the region is found in both directions, and exactly that.
    func knows(_ region: TranslatedRegion) -> Bool {
        iova(region.address, Int(region.byteCount)) == region.iova
            && address(region.iova, Int(region.byteCount)) == region.address
    }
}

@Suite("Translator of a domain")
struct TranslatorTests {
    @Test func `regions are known from their return until their free, small ones byte for byte`()
        throws
    {
        let world = try DomainWorld()
        let early = try world.domain.allocate(byteCount: 8192)
        let translator = try world.domain.translator
        let late = try world.domain.allocate(byteCount: 4096)
        #expect(unsafe translator.iova(of: early.address, count: 8192) == early.iova)
        #expect(unsafe translator.address(of: late.iova, count: 4096) == late.address)
        let (place, address) = (early.iova, unsafe UInt(bitPattern: early.address))
        try early.free()
        #expect(translator.iova(address, 1) == nil)
        #expect(translator.iova(address + 8191, 1) == nil)
        #expect(unsafe translator.address(of: place, count: 1) == nil)
        // The shared extent that it was part of is still mapped for the other one.
        #expect(
            unsafe translator.iova(of: late.address + 4095, count: 1)?.rawValue
                == late.iova.rawValue + 4095)
        for count in [0, -1, .min, .max] {
            #expect(unsafe translator.iova(of: late.address, count: count) == nil)
            #expect(unsafe translator.address(of: late.iova, count: count) == nil)
        }
    }

    @Test func `deferred unmapping misses from the free on, not from the flush`() throws {
        let world = try DomainWorld(
            .vdpaSimNet(), .init(unmapping: .deferred(maximumBytes: 1 << 30)))
        let translator = try world.domain.translator
        let ids = try world.allocate(2, byteCount: 2 << 20)
        let regions = try ids.map { try TranslatedRegion($0, world.domain) }
        #expect(regions.allSatisfy(translator.knows))
        try world.domain.free(ids[0])
        #expect(world.domain.statistics.quarantinedExtents == 1)
        #expect(translator.iova(regions[0].address, 1) == nil)
        #expect(translator.address(regions[0].iova, 1) == nil)
        #expect(translator.knows(regions[1]))
        try world.domain.flush()
        #expect(translator.iova(regions[0].address, 1) == nil)
        #expect(translator.knows(regions[1]))
    }

    @Test func `nothing is found after close, nor once the domain is gone`() throws {
        var world: DomainWorld? = try DomainWorld()
        let translator = try #require(try world?.domain.translator)
        let ids = try #require(try world?.allocate(3, byteCount: 3 << 20))
        let regions = try ids.map { try TranslatedRegion($0, #require(world).domain) }
        #expect(regions.allSatisfy(translator.knows))
        world?.domain.close()
        for region in regions {
            #expect(translator.iova(region.address, 1) == nil)
            #expect(translator.address(region.iova, 1) == nil)
        }
        let error = #expect(throws: DMAError.self) { try #require(world).domain.translator }
        #expect(error?.code == .closed)
        world = nil
        #expect(regions.allSatisfy { translator.iova($0.address, 1) == nil })
    }

    @Test func `memory with several IOVAs has the lowest of them, in any order`() throws {
        let memory = SharedMemory(pages: 1024)
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let world = try DomainWorld()
            let translator = try world.domain.translator
            // All of it, its middle, its end: at IOVAs that fall, rise, and lie between.
            let parts = [(0, 1024, 0x6000_0000), (256, 513, 0x5000_0000), (700, 324, 0x5800_0000)]
            var live: [Int: TranslatedRegion] = [:]
            func check() {
                for page in [0, 255, 256, 511, 512, 699, 700, 768, 769, 1023] {
                    let address = unsafe UInt(bitPattern: memory.pages(page).baseAddress)
                    let covering = live.values.filter {
                        address >= $0.address && address - $0.address < UInt($0.byteCount)
                    }
                    let lowest = covering.map { $0.iova + UInt64(address - $0.address) }.min()
                    #expect(translator.iova(address, 4096) == lowest, "page \(page), \(order)")
                }
                for region in live.values {
                    #expect(
                        translator.address(region.iova, Int(region.byteCount)) == region.address)
                }
            }
            for index in order {
                let (page, count, iova) = parts[index]
                let id = try world.domain.batch { batch throws(DMAError) in
                    unsafe try batch.register(
                        memory.pages(page, count: count), at: .fixed(IOVA(UInt64(iova))))
                }
                live[index] = try TranslatedRegion(id, world.domain)
                check()
            }
            // Filled in at once it is the same.
            let second = try DomainWorld()
            for index in order.reversed() {
                let (page, count, iova) = parts[index]
                let id = try second.domain.batch { batch throws(DMAError) in
                    unsafe try batch.register(
                        memory.pages(page, count: count), at: .fixed(IOVA(UInt64(iova))))
                }
                try #require(try TranslatedRegion(id, second.domain).iova == UInt64(iova))
            }
            let filled = try second.domain.translator
            for page in 0..<1024 {
                let address = unsafe UInt(bitPattern: memory.pages(page).baseAddress)
                #expect(filled.iova(address, 1) == translator.iova(address, 1))
            }
            for index in order {
                guard let gone = live.removeValue(forKey: index) else { continue }
                try world.domain.free(gone.id)
                check()
            }
        }
    }

    @Test func `a batch that fails leaves the translator as it was, and one that moves moves it`()
        throws
    {
        let world = try DomainWorld()
        let memory = SharedMemory(pages: 1024)
        let translator = try world.domain.translator
        let place = Placement.fixed(IOVA(0x4000_0000))
        let id = try world.domain.batch { batch throws(DMAError) in
            unsafe try batch.register(memory.pages(0, count: 512), at: place)
        }
        let region = try TranslatedRegion(id, world.domain)
        func move() throws(DMAError) -> RegionID {
            try world.domain.batch { batch throws(DMAError) in
                try batch.free(id)
                return unsafe try batch.register(memory.pages(512, count: 512), at: place)
            }
        }
        world.simulator.failCall(world.simulator.calls + 2, errno: EFAULT)
        #expect(throws: DMAError.self) { _ = try move() }
        world.simulator.clearFaultPlan()
        #expect(translator.knows(region))
        #expect(translator.iova(region.address + (2 << 20), 1) == nil)
        let moved = try TranslatedRegion(try move(), world.domain)
        #expect(translator.knows(moved))
        #expect(translator.iova(region.address, 1) == nil)
        try world.domain.remap()
        #expect(translator.knows(moved))
    }
}

@Suite("Translator: what can fail, and scatter-gather")
struct TranslatorFailureTests {
    @Test func `without address space the domain goes on, and says what is missing`() throws {
        for limit in UInt64(0)..<4 {
            var options = DMADomain.Options()
            options.translatorMappingLimit = limit
            let world = try DomainWorld(.vdpaSimNet(), options)
            let id = try world.allocate(1, byteCount: 4096)[0]
            // Three for the tables, one for the sub-tables of the region's extent.
            let error = #expect(throws: DMAError.self) { try world.domain.translator }
            #expect(error?.code == .hostMemory && error?.errno == ENOMEM)
            #expect(error?.remedy.isEmpty == false)
            try expectConsistent(world, [id])
        }
    }

    @Test func `a region whose tables cannot be had is not mapped, and nothing is left of it`()
        throws
    {
        let world = try DomainWorld(.vduse())
        let memory = SharedMemory(pages: 3)
        let far = IOVA(1 << 62)
        let translator = try world.domain.translator
        let before = DomainSnapshot(world)
        func register() throws(DMAError) -> RegionID {
            try world.domain.batch { batch throws(DMAError) in
                unsafe try batch.register(memory.bytes, at: .fixed(far))
            }
        }
        func allow(_ mappings: UInt64) {
            world.domain.core.state.withLock { $0.translation?.allow(mappings: mappings) }
        }
        // A sector, and sub-tables: without the first, then without the second.
        for mappings in UInt64(0)...1 {
            allow(mappings)
            let (error, messages) = try world.refusal { () throws(DMAError) in _ = try register() }
            #expect(error.code == .hostMemory && messages == 0, "\(mappings) mappings")
            #expect(DomainSnapshot(world) == before)
        }
        allow(.max)
        #expect(translator.knows(try TranslatedRegion(try register(), world.domain)))
    }

    @Test func `a buffer is split where it does not go on in one piece`() throws {
        let world = try DomainWorld(.vduse())
        let memory = SharedMemory(pages: 1600)
        let translator = try world.domain.translator
        // Three extents side by side in memory and not for the device; then a hole, then a fourth.
        let parts = [(0, 700, 0x9_0000_0000), (700, 1, 0x8_0000_0000), (701, 600, 0x7_0000_0000)]
        try world.domain.batch { batch throws(DMAError) in
            for (page, count, iova) in parts + [(1302, 298, 0x6_0000_0000)] {
                _ = unsafe try batch.register(
                    memory.pages(page, count: count), at: .fixed(IOVA(UInt64(iova))))
            }
        }
        let buffer = unsafe UnsafeRawBufferPointer(rebasing: memory.bytes[100..<(1301 * 4096)])
        var storage: [DMASegment] = []
        func split(_ buffer: UnsafeRawBufferPointer, room: Int) -> DMASegmentation {
            storage = Array(repeating: .init(), count: room)
            var span = storage.mutableSpan
            return unsafe translator.segments(of: buffer, into: &span)
        }
        #expect(unsafe split(buffer, room: 4) == .complete(segmentCount: 3))
        #expect(storage.prefix(3).map(\.byteCount) == [700 * 4096 - 100, 4096, 600 * 4096])
        #expect(
            storage.prefix(3).map(\.iova.rawValue) == [
                0x9_0000_0064, 0x8_0000_0000, 0x7_0000_0000,
            ])
        #expect(unsafe storage[1].address == memory.pages(700).baseAddress)
        #expect(storage[3].byteCount == 0 && MemoryLayout<DMASegment>.size == 24)
        #expect(unsafe split(buffer, room: 1) == .storageTooSmall(neededCount: 3))
        #expect(unsafe split(buffer, room: 0) == .storageTooSmall(neededCount: 3))
        let hole = unsafe UnsafeRawBufferPointer(rebasing: memory.bytes[4096..<(1400 * 4096)])
        #expect(
            unsafe split(hole, room: 4)
                == .unmapped(byteOffset: 1300 * 4096, segmentCount: 3))
        let empty = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        #expect(unsafe split(empty, room: 4) == .complete(segmentCount: 0))
        // How far one piece goes, from either side.
        let run = unsafe translator.translation(of: memory.bytes.baseAddress! + 4097)
        #expect(run?.iova.rawValue == 0x9_0000_1001 && run?.byteCount == 699 * 4096 - 1)
        let back = translator.translation(of: IOVA(0x7_0000_0001), limit: 10)
        #expect(back?.byteCount == 10)
        #expect(unsafe back?.address == memory.pages(701).baseAddress! + 1)
        #expect(translator.translation(of: IOVA(0x7_0000_0001), limit: 0) == nil)
        #expect(translator.translation(of: IOVA(0x7_0000_0001), limit: -1) == nil)
    }

    @Test func `a page that is the last of 64 bits is found, and what wraps is not`() throws {
        var configuration = SimulatedDevice.Configuration.vduse()
        configuration.iovaRange = .all
        let world = try DomainWorld(configuration)
        let memory = SharedMemory(pages: 2)
        let translator = try world.domain.translator
        let last = UInt64.max - 4095
        let ids = try world.domain.batch { batch throws(DMAError) in
            [
                unsafe try batch.register(memory.pages(0), at: .fixed(IOVA(last))),
                unsafe try batch.register(memory.pages(1), at: .fixed(IOVA(0))),
            ]
        }
        for id in ids { #expect(translator.knows(try TranslatedRegion(id, world.domain))) }
        let start = unsafe UInt(bitPattern: memory.bytes.baseAddress)
        #expect(translator.iova(start, 4097) == nil)
        #expect(translator.address(last, 4097) == nil)
        #expect(translator.address(.max, 1) == start + 4095)
    }
}
