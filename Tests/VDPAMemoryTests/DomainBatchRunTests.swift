import Testing
import VDPAMemory
import VDPASimulator

/// Operations that are alike are kept together in a batch: nobody is to see it.
@Suite("Batches of many operations alike")
struct DomainBatchRunTests {
    let memory = SharedMemory(pages: 8)

    @Test func `every operation has its own number, wherever runs begin and end`() throws {
        for wrong in 0..<9 {
            let world = try DomainWorld()
            let ids = try world.allocate(4, byteCount: 4096)
            let stale = try world.allocate(1, byteCount: 4096)
            try world.free(stale)
            let before = DomainSnapshot(world)
            let answer = try world.refusal { () throws(DMAError) in
                try world.domain.batch { batch throws(DMAError) in
                    for number in 0..<9 {
                        guard number != wrong else {
                            try batch.free(stale[0])
                            continue
                        }
                        switch number {
                        case 0, 1: _ = try batch.allocate(byteCount: 4096)
                        case 2: try batch.free(ids[0])
                        case 3: try batch.free(ids[1], force: true)
                        case 4, 5:
                            _ = try batch.allocate(byteCount: 8192, options: .init(tag: "run"))
                        case 6: _ = try unsafe batch.register(memory.pages(0))
                        case 7: _ = try batch.allocate(byteCount: 4096)
                        default: try batch.free(ids[2])
                        }
                    }
                }
            }
            #expect(answer.error.code == .noSuchRegion && answer.error.operationIndex == wrong)
            #expect(DomainSnapshot(world) == before && answer.messages == 0)
            try expectConsistent(world, ids)
        }
    }

    @Test func `one of many alike is freed by the batch that names it, and the others stay`() throws
    {
        let world = try DomainWorld()
        let ids = try world.domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            for _ in 0..<5 { ids.append(try batch.allocate(byteCount: 4096)) }
            try batch.free(ids[2])
            ids.append(try batch.allocate(byteCount: 4096))
            try batch.free(ids[0])
            return ids
        }
        for gone in [ids[0], ids[2]] {
            #expect(throws: DMAError.self) { try world.domain.info(gone) }
        }
        try expectConsistent(world, [ids[1], ids[3], ids[4], ids[5]])
        let answer = try world.refusal { () throws(DMAError) in
            try world.domain.batch { batch throws(DMAError) in
                let first = try batch.allocate(byteCount: 4096)
                _ = try batch.allocate(byteCount: 4096)
                try batch.free(first)
                try batch.free(first)
            }
        }
        #expect(answer.error.code == .noSuchRegion && answer.error.operationIndex == 3)
        try expectConsistent(world, [ids[1], ids[3], ids[4], ids[5]])
    }

    @Test func `runs of different options are carved as they were asked for`() throws {
        let world = try DomainWorld()
        let ids = try world.domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            for number in 0..<64 {
                let options = AllocationOptions(
                    access: number % 3 == 0 ? .readOnly : .readWrite,
                    alignment: number % 4 == 0 ? 64 << 10 : 4096)
                ids.append(
                    try batch.allocate(byteCount: 4096 * (1 + number % 5), options: options))
            }
            return ids
        }
        for (number, id) in ids.enumerated() {
            let info = try world.domain.info(id)
            #expect(info.access == (number % 3 == 0 ? .readOnly : .readWrite))
            #expect(info.byteCount == 4096 * (1 + number % 5))
            if number % 4 == 0 { #expect(info.range.first.rawValue % (64 << 10) == 0) }
        }
        try expectConsistent(world, ids)
    }

    @Test func `what a batch takes back is not prepared for`() throws {
        let world = try DomainWorld()
        let before = DomainSnapshot(world)
        try world.domain.batch { batch throws(DMAError) in
            let first = try batch.allocate(byteCount: 4096)
            let second = try batch.allocate(byteCount: 8192)
            try batch.free(first)
            try batch.free(second)
        }
        #expect(world.messages == 0 && DomainSnapshot(world) == before)
        try expectConsistent(world, [])
    }

    @Test func `runs of one operation each cost no more than their number`() throws {
        // Twice as many take about twice as long, not four times: the best of three of each.
        func seconds(_ count: Int) throws -> Double {
            var best = Double.infinity
            for _ in 0..<3 {
                let world = try DomainWorld(.vdpaSimNet(), .init(regionCapacity: 1 << 16))
                var ids = try world.allocate(count, byteCount: 4096)
                let start = ContinuousClock.now
                ids = try world.domain.batch { batch throws(DMAError) in
                    var new: [RegionID] = []
                    for id in ids {
                        try batch.free(id)
                        new.append(try batch.allocate(byteCount: 4096))
                    }
                    return new
                }
                best = min(best, (ContinuousClock.now - start) / .seconds(1))
                try world.free(ids)
            }
            return best
        }
        let (few, many) = (try seconds(2_000), try seconds(16_000))
        #expect(many < few * 8 * 4, "\(few) s, \(many) s for eight times as many")
    }
}
