import IOVAAllocator
import Testing
import VDPAMemory
import VDPASimulator

@Suite("Regions are where they were asked to be, and nowhere else")
struct DomainPlacementTests {
    let memory = SharedMemory(pages: 16)

    @Test func `fixed placements, page 0 among them, are ordinary`() throws {
        let world = try DomainWorld()
        var ids: [RegionID] = []
        for iova in [UInt64(0), 0x4000, 0xffff_ffff_ffff_f000] {
            ids.append(
                try unsafe world.domain.register(memory.pages(0), at: .fixed(IOVA(iova)))
                    .relinquish())
            #expect(try world.domain.info(ids.last!).range.first == IOVA(iova))
        }
        try expectConsistent(world, ids)
    }

    @Test func `page 0 and the interrupt window are never chosen`() throws {
        // Only page 0, the window and one more page: there is one place.
        let world = try DomainWorld(
            .vpVDPA(), .init(window: IOVARange(first: 0xfedf_f000, last: 0xfeef_ffff)))
        let only = try unsafe world.domain.register(memory.pages(0))
        #expect(only.iova == IOVA(0xfedf_f000))
        let answer = try world.refusal { () throws(DMAError) in
            _ = try unsafe world.domain.register(memory.pages(1))
        }
        #expect(answer.error.code == .noSpace && answer.messages == 0)
        let low = try DomainWorld(.vdpaSimNet(), .init(window: IOVARange(first: 0, last: 8191)))
        let second = try unsafe low.domain.register(memory.pages(0))
        #expect(second.iova == IOVA(4096))
        let full = try low.refusal { () throws(DMAError) in
            _ = try unsafe low.domain.register(memory.pages(1))
        }
        #expect(full.error.code == .noSpace)
    }

    @Test func `a reservation is met only on purpose`() throws {
        let reserved = IOVARange(first: 0x10_0000, last: 0x1f_ffff)
        for (range, options) in [
            (reserved, DMADomain.Options(reserved: [reserved])),
            (IOVARange(first: 0xfee0_0000, last: 0xfeef_ffff), DMADomain.Options()),
        ] {
            let world = try DomainWorld(.vdpaSimNet(), options)
            let place = IOVA(range.first.rawValue + 0x1000)
            let answer = try world.refusal { () throws(DMAError) in
                _ = try unsafe world.domain.register(memory.pages(0), at: .fixed(place))
            }
            #expect(answer.error.code == .overlap && answer.messages == 0)
            #expect(answer.error.remedy.contains("deliberate"))
            let before = DomainSnapshot(world)
            do {
                let region = try unsafe world.domain.register(
                    memory.pages(0), at: .fixed(place, deliberately: true))
                #expect(region.iova == place)
            }
            #expect(DomainSnapshot(world).freeBytes == before.freeBytes)
            let again = try world.refusal { () throws(DMAError) in
                _ = try unsafe world.domain.register(memory.pages(0), at: .fixed(place))
            }
            #expect(again.error.code == .overlap, "the reservation is back")
        }
    }

    @Test func `a window holds, for carved, dedicated and registered regions`() throws {
        let world = try DomainWorld()
        let low = IOVARange(first: 0, last: 0xffff_ffff)
        let small = IOVARange(first: 0x7000_0000, last: 0x7000_ffff)
        let high = IOVARange(first: 1 << 40, last: 1 << 40 + 64 << 20 - 1)
        var ids: [RegionID] = []
        for (window, byteCount) in [
            (low, 4096), (high, 4096), (high, 2 << 20), (small, 4096), (small, 12288),
            (low, 4 << 20),
        ] {
            let id = try world.domain.allocate(
                byteCount: byteCount, options: .init(placement: .within(window))
            ).relinquish()
            #expect(window.contains(try world.domain.info(id).range), "\(byteCount)")
            ids.append(id)
        }
        try expectConsistent(world, ids)
        let answer = try world.refusal { () throws(DMAError) in
            _ = try world.domain.allocate(
                byteCount: 64 << 10, options: .init(placement: .within(small)))
        }
        #expect(answer.error.code == .noSpace && answer.messages == 0)
    }

    @Test func `identity: the IOVA is the address`() throws {
        let world = try DomainWorld(.vpVDPA())
        let region = try world.domain.allocate(
            byteCount: 8192, options: .init(placement: .identity))
        let address = unsafe UInt(bitPattern: region.address)
        #expect(region.iova.rawValue == UInt64(address))
        let registered = try unsafe world.domain.register(memory.bytes, at: .identity)
        let base = unsafe UInt(bitPattern: memory.bytes.baseAddress)
        #expect(registered.iova.rawValue == UInt64(base))
    }

    @Test func `alignments up to the largest are kept or refused, never trapped`() throws {
        let world = try DomainWorld()
        var ids: [RegionID] = []
        for shift in [0, 12, 16, 21, 30, 40, 63] {
            let id = try world.domain.allocate(
                byteCount: 4096, options: .init(alignment: 1 << UInt64(shift))
            ).relinquish()
            let range = try world.domain.info(id).range
            #expect(range.first.rawValue % max(1 << UInt64(shift), 4096) == 0)
            ids.append(id)
        }
        #expect(world.domain.statistics.mappedBytes <= 7 * 2 << 20, "an alignment costs no memory")
        try expectConsistent(world, ids)
        let bad = try world.refusal { () throws(DMAError) in
            _ = try world.domain.allocate(byteCount: 4096, options: .init(alignment: 12288))
        }
        #expect(bad.error.code == .invalidArgument)
    }

    @Test func `an overlap names both ranges, and the operation of the batch`() throws {
        let world = try DomainWorld()
        let before = DomainSnapshot(world)
        let answer = try world.refusal { () throws(DMAError) in
            _ = try world.domain.batch { batch throws(DMAError) in
                _ = try batch.allocate(byteCount: 4096)
                _ = try unsafe batch.register(
                    memory.pages(0, count: 4), at: .fixed(IOVA(0x8000)))
                _ = try unsafe batch.register(memory.pages(4), at: .fixed(IOVA(0xb000)))
            }
        }
        #expect(answer.error.code == .overlap && answer.error.operationIndex == 2)
        #expect(answer.error.range == IOVARange(first: 0xb000, last: 0xbfff))
        #expect(answer.error.message.contains("0x8000") || answer.error.message.contains("8000"))
        #expect(answer.messages == 0 && DomainSnapshot(world) == before)
    }

    @Test func `outside the device's range is said to be so`() throws {
        let world = try DomainWorld(.vpVDPA())
        let answer = try world.refusal { () throws(DMAError) in
            _ = try unsafe world.domain.register(memory.pages(0), at: .fixed(IOVA(1 << 48)))
        }
        #expect(answer.error.code == .outsideRange && answer.messages == 0)
        let last = try unsafe world.domain.register(
            memory.pages(0), at: .fixed(IOVA(1 << 48 - 4096)))
        #expect(last.range.last == IOVA(1 << 48 - 1))
    }
}
