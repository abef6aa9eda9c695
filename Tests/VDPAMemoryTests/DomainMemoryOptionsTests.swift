import CTestSupport
import Glibc
import HostMemory
import Synchronization
import TestSupport
import Testing
import VDPAMemory
import VDPASimulator

@Suite("What a region's memory is told to be, it is")
struct DomainMemoryOptionsTests {
    private func flags(_ region: borrowing DMARegion) -> Set<String> {
        // Safe: the address is only looked up.
        MappedMemory.flags(at: unsafe UInt(bitPattern: region.address)) ?? []
    }

    @Test("forks and core dumps leave the memory out as asked", arguments: [4096, 2 << 20])
    func forksAndDumps(byteCount: Int) throws {
        let world = try DomainWorld()
        let standard = try world.domain.allocate(byteCount: byteCount)
        #expect(flags(standard).isSuperset(of: ["dc"]) && !flags(standard).contains("dd"))
        #expect(unsafe ctest_child_reads(standard.address.assumingMemoryBound(to: UInt8.self)) == 0)
        let changed = try world.domain.allocate(
            byteCount: byteCount,
            options: .init(isInheritedByFork: true, isExcludedFromCoreDumps: true))
        #expect(flags(changed).contains("dd") && !flags(changed).contains("dc"))
        #expect(unsafe ctest_child_reads(changed.address.assumingMemoryBound(to: UInt8.self)) == 1)
    }

    @Test("regions that differ in what becomes of their memory share no extent")
    func noExtentIsSharedAcrossOptions() throws {
        let world = try DomainWorld()
        let all: [AllocationOptions] = [
            .init(), .init(isInheritedByFork: true), .init(isExcludedFromCoreDumps: true),
            .init(isZeroedWhenFreed: true),
        ]
        var extents = Set<UInt64>()
        for options in all {
            let id = try world.domain.allocate(byteCount: 4096, options: options).relinquish()
            extents.insert(try world.domain.info(id).extent.first.rawValue)
        }
        #expect(extents.count == all.count)
    }

    @Test("a dedicated region reports its progress, and can be cancelled without a trace")
    func progressAndCancellation() throws {
        let world = try DomainWorld()
        let before = DomainSnapshot(world)
        let reports = Mutex<[Int]>([])
        var options = AllocationOptions(pages: .exactly(.size4KiB), isInheritedByFork: true)
        options.population = Population(threadCount: 1) { populated, total in
            reports.withLock { $0.append(populated) }
            return total == 192 << 20
        }
        try world.domain.allocate(byteCount: 192 << 20, options: options).free()
        #expect(reports.withLock { $0 } == [64 << 20, 128 << 20, 192 << 20])
        for threads in 1...3 {
            options.population = Population(threadCount: threads) { _, _ in false }
            let kept = options
            let answer = try world.refusal { () throws(DMAError) in
                try world.domain.batch { batch throws(DMAError) in
                    _ = try batch.allocate(byteCount: 4096)
                    _ = try batch.allocate(byteCount: 192 << 20, options: kept)
                }
            }
            #expect(answer.error.code == .cancelled && answer.messages == 0)
            #expect(answer.error.operationIndex == 1)
            #expect(!answer.error.remedy.isEmpty)
            #expect(DomainSnapshot(world) == before)
        }
    }

    @Test("a callback may use the domain: it is never called under its lock")
    func reentrantCallback() throws {
        let world = try DomainWorld()
        let seen = Mutex<[Int]>([])
        let domain = world.domain
        let options = AllocationOptions(
            pages: .exactly(.size4KiB), isolation: .dedicated,
            population: Population { _, _ in
                seen.withLock { $0.append(domain.statistics.regions) }
                return true
            })
        let region = try domain.allocate(byteCount: 4096, options: options)
        #expect(seen.withLock { $0.count } == 1)
        // So is the extent that is made for a carved region.
        var carved = options
        carved.isolation = .shared
        let small = try domain.allocate(byteCount: 4096, options: carved)
        #expect(seen.withLock { $0.count } == 2)
        #expect(region.byteCount == small.byteCount)
    }

    @Test("what was obtained can be read: pages, nodes, and what was tried before")
    func whatWasObtained() throws {
        let world = try DomainWorld()
        let node = HostTopology().nodes[0]
        let region = try world.domain.allocate(
            byteCount: 8 << 20,
            options: .init(
                pages: .firstOf([.size2MiB, .size4KiB]), node: .required(node)))
        let info = try region.info
        let size = try #require(info.pageSize)
        let sizes: [PageSize] = [.size2MiB, .size4KiB]
        let tried = try #require(sizes.firstIndex(of: size))
        #expect(info.pageSizeRefusals.map(\.pageSize) == Array(sizes[..<tried]))
        for refusal in info.pageSizeRefusals {
            #expect(refusal.wantedPageCount == 8 << 20 / refusal.pageSize.byteCount)
            #expect(!refusal.reason.isEmpty && !refusal.remedy.isEmpty)
        }
        #expect(info.placement?.pagesByNode == [node: 8 << 20 / size.byteCount])
        #expect(info.placement?.spilledPages == 0)
    }

    @Test("the node of each page can be read, of carved and registered memory alike")
    func nodeRuns() throws {
        let world = try DomainWorld()
        let node = HostTopology().nodes[0]
        let dedicated = try world.domain.allocate(
            byteCount: 2 << 20, options: .init(node: .required(node)))
        let carved = try world.domain.allocate(
            byteCount: 12 << 10, options: .init(node: .required(node)))
        let memory = SharedMemory(pages: 4)
        for page in 0..<4 { unsafe memory.bytes[page << 12] = 1 }
        let registered = try unsafe world.domain.register(memory.bytes)
        #expect(try dedicated.nodeRuns().map(\.node) == [node])
        #expect(try carved.nodeRuns().map(\.byteCount) == [12 << 10])
        #expect(try registered.nodeRuns().map(\.byteCount) == [4 << 12])
    }

    @Test("a shared extent is populated without the lock, reports, and can be cancelled")
    func sharedExtentsReport() throws {
        let world = try DomainWorld()
        let before = DomainSnapshot(world)
        let reports = Mutex<[Int]>([])
        let domain = world.domain
        var options = AllocationOptions(pages: .exactly(.size4KiB))
        options.population.progress = { done, total in
            // Would wait for ever if the lock were held.
            reports.withLock { $0.append(domain.statistics.regions * 1_000_000 + done / total) }
            return false
        }
        let answer = try world.refusal { () throws(DMAError) in
            _ = try world.allocate(100, byteCount: 4096, options)
        }
        #expect(answer.error.code == .cancelled && answer.messages == 0)
        #expect(answer.error.operationIndex == 0)
        #expect(DomainSnapshot(world) == before && domain.statistics.failedBatches == 1)
        #expect(reports.withLock { $0 } == [1])
        options.population.progress = { done, total in
            reports.withLock { $0.append(done / total) }
            return true
        }
        let ids = try world.allocate(60, byteCount: 1 << 20, options)
        #expect(world.domain.statistics.extents == 1)
        #expect(reports.withLock { $0 } == [1, 1])
        try expectConsistent(world, ids)
        try world.free(ids)
    }
}
