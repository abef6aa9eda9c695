import Glibc
import HostMemory
import Testing
import VDPASimulator
import VhostVDPA

@testable import VDPAMemory

/// Each of these failed once: a wrong address, memory given back too early, or a trap.
@Suite("What a hostile reading of the domain found")
struct DomainHostileUseTests {
    private func dedicated(_ placement: Placement = .anywhere) -> AllocationOptions {
        AllocationOptions(
            pages: .exactly(.size4KiB), placement: placement, isolation: .dedicated)
    }

    private func refusal(_ body: () throws(DMAError) -> Void) -> DMAError.Code? {
        do throws(DMAError) {
            try body()
            return nil
        } catch {
            return error.code
        }
    }

    @Test("a window below one page is refused, and does not become the whole space")
    func windowBelowOnePage() throws {
        let device = try VDPADevice(SimulatedDevice(.vpVDPA()))
        #expect(
            refusal { () throws(DMAError) in
                let window = IOVARange(first: 0, last: 100)
                let domain = try DMADomain(device, options: .init(window: window))
                Issue.record("the domain has \(domain.range)")
            } == .outsideRange)
    }

    @Test("a batch that empties a shared extent and carves in it again keeps the extent")
    func carvingInAnExtentAboutToGo() throws {
        let simulator = SimulatedDevice(.vdpaSimNet())
        let domain = try DMADomain(try VDPADevice(simulator))
        let ids = try domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            for _ in 0..<512 { ids.append(try batch.allocate(byteCount: 4096)) }
            return ids
        }
        // In a second extent, so that the first is given back once it is empty.
        let other = try domain.allocate(byteCount: 4096)
        #expect(domain.statistics.extents == 2)
        for id in ids.dropFirst() { try domain.free(id) }
        let last = ids[0]
        let new = try domain.batch { batch throws(DMAError) in
            try batch.free(last)
            return try batch.allocate(byteCount: 4096)
        }
        let region = try DMARegion(owning: new, in: domain)
        #expect(simulator.write([1], at: region.iova))
        #expect(simulator.write([1], at: other.iova))
    }

    @Test("a region never lies across two shared extents, whose memory is not side by side")
    func extentsSideBySide() throws {
        let simulator = SimulatedDevice(.vdpaSimNet())
        let domain = try DMADomain(try VDPADevice(simulator))
        // Seven fit an extent of 2 MiB, and the eighth would lie across its end.
        for _ in 0..<8 {
            let id = try domain.allocate(byteCount: 75 << 12).relinquish()
            let info = try domain.info(id)
            #expect(info.extent.contains(info.range))
            #expect(simulator.write([7], at: info.range.last))
            // Safe: the region's last byte.
            let last = unsafe info.address.load(fromByteOffset: (75 << 12) - 1, as: UInt8.self)
            #expect(last == 7)
        }
    }

    @Test("a batch that swaps mappings in a full table makes room first")
    func swapInAFullTable() throws {
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.contiguity = .size4KiB
        configuration.entryLimit = 16
        let simulator = SimulatedDevice(configuration)
        let domain = try DMADomain(try VDPADevice(simulator))
        let options = dedicated()
        let old = try domain.allocate(byteCount: 16 * 4096, options: options).relinquish()
        let new = try domain.batch { batch throws(DMAError) in
            try batch.free(old)
            return try batch.allocate(byteCount: 16 * 4096, options: options)
        }
        #expect(simulator.write([1], at: try domain.info(new).range.first))
        #expect(domain.statistics.extents == 1)
    }

    @Test("an ID of one domain names nothing in another")
    func foreignID() throws {
        let one = try DMADomain(try VDPADevice(SimulatedDevice(.vdpaSimNet())))
        let two = try DMADomain(try VDPADevice(SimulatedDevice(.vdpaSimNet())))
        let mine = try one.allocate(byteCount: 4096)
        let foreign = try two.allocate(byteCount: 4096)
        #expect(mine.id != foreign.id)
        #expect(refusal { () throws(DMAError) in try two.free(mine.id) } == .noSuchRegion)
        #expect(two.statistics.regions == 1)
    }

    @Test("a large alignment costs addresses, not memory, and never traps")
    func largeAlignment() throws {
        let domain = try DMADomain(try VDPADevice(SimulatedDevice(.vdpaSimNet())))
        var options = AllocationOptions(pages: .exactly(.size4KiB))
        options.alignment = 1 << 26
        let region = try domain.allocate(byteCount: 4096, options: options)
        #expect(region.iova.isAligned(to: 1 << 26))
        #expect(domain.statistics.mappedBytes == 2 << 20)
        options.alignment = 1 << 63
        let far = try domain.allocate(byteCount: 4096, options: options)
        #expect(far.iova.rawValue == 1 << 63)
    }

    @Test(
        "a first mapping that is refused leaves nothing, also where an empty address space goes",
        arguments: [KernelProfile.v5_19, .v6_1])
    func refusedFirstMapping(kernel: KernelProfile) throws {
        let simulator = SimulatedDevice(.vpVDPA(kernel: kernel))
        let domain = try DMADomain(try VDPADevice(simulator))
        simulator.failNext(.pin, errno: 14)
        let options = dedicated()
        let code = refusal { () throws(DMAError) in
            _ = try domain.allocate(byteCount: 8192, options: options)
        }
        #expect(code == .kernelRefused)
        #expect(domain.statistics.quarantinedExtents == 0)
    }

    @Test("remap reports a batch that did not end, and releases nothing")
    func remapWithoutItsEnd() throws {
        let simulator = SimulatedDevice(.vdpaSimNet())
        let options = DMADomain.Options(unmapping: .deferred(maximumBytes: 1 << 30))
        let domain = try DMADomain(try VDPADevice(simulator), options: options)
        let kept = try domain.allocate(byteCount: 4096, options: dedicated())
        try domain.allocate(byteCount: 8192, options: dedicated()).free()
        #expect(domain.statistics.quarantinedBytes == 8192)
        // BATCH_BEGIN, two INVALIDATEs, one UPDATE, BATCH_END.
        simulator.fail(.write, number: simulator.count(of: .write) + 5, errno: 14)
        #expect(refusal { () throws(DMAError) in try domain.remap() } == .undoIncomplete)
        #expect(domain.statistics.quarantinedBytes == 8192)
        try domain.remap()
        #expect(!simulator.isInBatch)
        #expect(domain.statistics.quarantinedBytes == 0)
        #expect(simulator.write([1], at: kept.iova))
    }

    @Test("remap that cannot begin forgets nothing of what was missing before")
    func remapThatCannotBegin() throws {
        let simulator = SimulatedDevice(.vdpaSimNet())
        let domain = try DMADomain(try VDPADevice(simulator))
        let one = try domain.allocate(byteCount: 4096, options: dedicated())
        let two = try domain.allocate(byteCount: 4096, options: dedicated())
        simulator.failNext(.write, errno: 14)
        #expect(refusal { () throws(DMAError) in try domain.remap() } == .undoIncomplete)
        #expect(domain.statistics.lostExtents == 0 && !domain.needsRemap, "nothing was touched")
        simulator.failNext(.update, errno: 14)
        #expect(refusal { () throws(DMAError) in try domain.remap() } == .undoIncomplete)
        simulator.failNext(.write, errno: 14)
        #expect(refusal { () throws(DMAError) in try domain.remap() } == .undoIncomplete)
        #expect(domain.statistics.lostExtents == 1 && domain.needsRemap)
        try domain.remap()
        #expect(domain.statistics.lostExtents == 0 && !domain.needsRemap)
        #expect(simulator.write([1], at: one.iova) && simulator.write([1], at: two.iova))
    }

    @Test("remap that is refused half-way maps all else, says so, and can be repeated")
    func remapRefusedHalfWay() throws {
        let simulator = SimulatedDevice(.vdpaSimNet())
        let domain = try DMADomain(try VDPADevice(simulator))
        let one = try domain.allocate(byteCount: 4096, options: dedicated())
        let two = try domain.allocate(byteCount: 4096, options: dedicated())
        simulator.failNext(.update, errno: 14)
        #expect(refusal { () throws(DMAError) in try domain.remap() } == .undoIncomplete)
        #expect(domain.statistics.lostExtents == 1)
        #expect(simulator.kernelEntries().count == 1)
        try domain.remap()
        #expect(domain.statistics.lostExtents == 0)
        #expect(simulator.write([1], at: one.iova))
        #expect(simulator.write([1], at: two.iova))
    }

    @Test("close that cannot unmap keeps the memory until the device is closed")
    func closeThatFails() throws {
        let simulator = SimulatedDevice(.vdpaSimNet())
        let device = try VDPADevice(simulator)
        let domain = try DMADomain(device)
        let region = try domain.allocate(byteCount: 8192, options: dedicated())
        let written = simulator.count(of: .write)
        for number in 1...3 { simulator.fail(.write, number: written + number, errno: 14) }
        domain.close()
        // Still mapped: the memory must still be the region's.
        #expect(simulator.write([1], at: region.iova))
        // And the address space is not free for somebody else's layout.
        #expect(
            refusal { () throws(DMAError) in _ = try DMADomain(device) } == .addressSpace)
    }

    @Test("a closed domain answers with an error to questions about its regions")
    func infoAfterClose() throws {
        let domain = try DMADomain(try VDPADevice(SimulatedDevice(.vdpaSimNet())))
        let region = try domain.allocate(byteCount: 4096)
        domain.close()
        #expect(refusal { () throws(DMAError) in _ = try region.info } == .closed)
        #expect(domain.statistics.regions == 0)
    }

    @Test("a region's memory outlives a close of its domain")
    func memoryAfterClose() throws {
        let simulator = SimulatedDevice(.vdpaSimNet())
        let domain = try DMADomain(try VDPADevice(simulator))
        let pool = try DMABufferPool(try domain.allocate(byteCount: 8192), bufferSize: 2048)
        let buffer = try #require(pool.take())
        domain.close()
        // Safe: the address is looked up, not followed.
        let address = unsafe UInt(bitPattern: buffer.address)
        #expect(isMapped(address))
        #expect(!simulator.write([1], at: buffer.iova))
    }

    @Test("ranges in quarantine are given back when the region capacity runs short")
    func capacityInQuarantine() throws {
        let options = DMADomain.Options(
            regionCapacity: 4, unmapping: .deferred(maximumBytes: 1 << 30))
        let domain = try DMADomain(
            try VDPADevice(SimulatedDevice(.vdpaSimNet())), options: options)
        for _ in 0..<10 { try domain.allocate(byteCount: 4096, options: dedicated()).free() }
        #expect(domain.statistics.flushes == 2)
    }

    @Test("a fixed region takes exactly its bytes, whatever pages are behind it")
    func fixedNeighbours() throws {
        let simulator = SimulatedDevice(.vdpaSimNet())
        let domain = try DMADomain(try VDPADevice(simulator))
        let pages = PagePolicy.firstOf([.transparent2MiB, .size4KiB])
        var options = AllocationOptions(
            pages: pages, placement: .fixed(IOVA(0)), isolation: .dedicated)
        let size = 3 << 20
        let low = try domain.allocate(byteCount: size, options: options)
        options.placement = .fixed(IOVA(UInt64(size)))
        let high = try domain.allocate(byteCount: size, options: options)
        #expect(low.range.isFollowed(by: high.range))
        #expect(domain.statistics.mappedBytes == UInt64(2 * size))
    }

    @Test("a small region fits a window that is smaller than a shared extent")
    func smallWindow() throws {
        let domain = try DMADomain(try VDPADevice(SimulatedDevice(.vdpaSimNet())))
        let window = IOVARange(first: 0x1_0000, last: 0x1_ffff)
        let region = try domain.allocate(
            byteCount: 8192, options: AllocationOptions(placement: .within(window)))
        #expect(window.contains(region.range))
    }

    @Test("small regions use the locked memory that there is, down to the smallest extent")
    func lockedMemoryToTheEnd() throws {
        let simulator = SimulatedDevice(.vpVDPA())
        simulator.lockedMemoryLimit = 28 << 20
        let domain = try DMADomain(try VDPADevice(simulator))
        var ids: [RegionID] = []
        let code = refusal { () throws(DMAError) in
            while true { ids.append(try domain.allocate(byteCount: 1 << 20).relinquish()) }
        }
        #expect(code == .lockedMemoryLimit)
        #expect(ids.count == 28)
    }

    @Test("a buffer of any size is answered with an error, never a trap")
    func hugeBuffers() throws {
        let domain = try DMADomain(try VDPADevice(SimulatedDevice(.vdpaSimNet())))
        for size in [Int.max, Int.max - 62, Int.min, 0, -1] {
            let code = refusal { () throws(DMAError) in
                _ = try DMABufferPool(try domain.allocate(byteCount: 4096), bufferSize: size)
            }
            #expect(code == .invalidArgument)
        }
        #expect(domain.statistics.regions == 0)
    }

    @Test("the free part of a shared extent does not count as mapped for a ring")
    func holesAreNotCovered() throws {
        let domain = try DMADomain(try VDPADevice(SimulatedDevice(.vdpaSimNet())))
        let one = try domain.allocate(byteCount: 4096)
        let two = try domain.allocate(byteCount: 4096)
        let both = IOVARange(first: one.range.first, last: two.range.last)
        #expect(domain.covers(both, access: .readWrite))
        let behind = IOVARange(first: two.range.first, last: IOVA(two.range.last.rawValue + 1))
        #expect(!domain.covers(behind, access: .readWrite))
        try one.free()
        #expect(!domain.covers(both, access: .readWrite))
    }

    @Test("a region that has an owner is freed by its owner alone")
    func ownedRegions() throws {
        let domain = try DMADomain(try VDPADevice(SimulatedDevice(.vdpaSimNet())))
        let region = try domain.allocate(byteCount: 4096)
        let id = region.id
        #expect(refusal { () throws(DMAError) in try domain.free(id) } == .invalidArgument)
        #expect(
            refusal { () throws(DMAError) in
                _ = try DMARegion(owning: id, in: domain)
            } == .invalidArgument)
        #expect(domain.statistics.regions == 1)
        #expect(region.relinquish() == id)
        try domain.free(id)
        #expect(domain.statistics.regions == 0)
    }

    @Test("regions of the calling thread share extents with regions of its node, and no others")
    func callingThread() throws {
        let domain = try DMADomain(try VDPADevice(SimulatedDevice(.vdpaSimNet())))
        let node = try #require(NodePolicy.nodeOfCallingThread)
        let one = try domain.allocate(byteCount: 4096, options: .init(node: .preferred(node)))
        let two = try domain.allocate(byteCount: 4096, options: .init(node: .callingThread))
        #expect(one.range.isFollowed(by: two.range))
        #expect(domain.statistics.extents == 1)
    }

    @Test("a region that holds an enabled ring is not freed, nor its range reused")
    func ringsInUse() throws {
        let device = try VDPADevice(SimulatedDevice(.vdpaSimNet()))
        let domain = try DMADomain(device)
        let ring = try domain.allocate(byteCount: 16384)
        let base = ring.iova.rawValue
        try device.setQueueSize(64, ofQueue: 0)
        try device.setRingAddresses(
            VringAddresses(
                descriptors: IOVA(base), available: IOVA(base + 4096), used: IOVA(base + 8192)),
            ofQueue: 0)
        try device.setQueueEnabled(true, ofQueue: 0)
        let id = ring.id
        #expect(refusalToFree(ring) == .unsafeControl)
        let next = try domain.allocate(byteCount: 16384)
        #expect(next.iova.rawValue != base)
        #expect(domain.statistics.failedFrees == 1)
        try device.setQueueEnabled(false, ofQueue: 0)
        try domain.free(id)
        #expect(refusal { () throws(DMAError) in _ = try domain.info(id) } == .noSuchRegion)
    }

    private func refusalToFree(_ region: consuming DMARegion) -> DMAError.Code? {
        do throws(DMAError) {
            try region.free()
            return nil
        } catch {
            return error.code
        }
    }

    /// Whether a page is mapped in this process: msync(2) says ENOMEM where it is not.
    private func isMapped(_ address: UInt) -> Bool {
        // Safe: msync with MS_ASYNC accesses nothing.
        unsafe msync(UnsafeMutableRawPointer(bitPattern: address & ~4095), 4096, MS_ASYNC) == 0
    }
}
