import CTestSupport
import Foundation
import Glibc
import Testing
import VDPAMemory
import VDPASimulator
import VhostVDPA

/// With real children. Each test has a process of its own, in which few threads hold anything.
@Suite("A forked child leaves the parent's memory and device alone")
struct ForkedChildTests {
    @Test func `what a child drops stays as it is in the parent`() async {
        await #expect(processExitsWith: .success) { try ForkedWorld().expectUntouched() }
    }

    @Test func `a child is answered also while a thread of the parent held the lock`() async {
        await #expect(processExitsWith: .success) { try ForkedWorld().expectAnswered() }
    }
}

/// A domain that is forked, with a region of each kind.
@safe
final class ForkedWorld: @unchecked Sendable {
    let simulator = SimulatedDevice(.vdpaSimNet())
    let file: WatchedFile
    let device: VDPADevice
    let domain: DMADomain
    let second: VDPADevice
    /// The child has these too: MAP_SHARED.
    var inherited: DMARegion?
    var carved: DMARegion?
    /// The child has a hole there.
    var own: DMARegion?
    let ids: [RegionID]
    let bytes: [UnsafeMutableRawBufferPointer]

    init() throws {
        var options = DMADomain.Options(unmapping: .deferred(maximumBytes: 1 << 40))
        options.detectsWritesAfterFree = true
        file = WatchedFile(simulator)
        device = try VDPADevice(file: file, traits: DeviceTraits(of: simulator))
        second = try VDPADevice(SimulatedDevice(.vdpaSimNet()))
        domain = try DMADomain(device, options: options)
        let shared = AllocationOptions(isInheritedByFork: true, isZeroedWhenFreed: true)
        let first = try domain.allocate(byteCount: 2 << 20, options: shared)
        let second = try domain.allocate(byteCount: 4096, options: shared)
        let third = try domain.allocate(byteCount: 2 << 20)
        ids = [first.id, second.id, third.id]
        unsafe bytes = [first.bytes, second.bytes, third.bytes]
        inherited = .some(consume first)
        carved = .some(consume second)
        own = .some(consume third)
        for index in unsafe bytes.indices {
            unsafe bytes[index].initializeMemory(as: UInt8.self, repeating: 0x5a)
        }
    }

    private var isFilled: Bool { unsafe bytes.allSatisfy { unsafe $0.allSatisfy { $0 == 0x5a } } }

    func expectUntouched() throws {
        let tables = simulator.mappingSnapshot
        let before = domain.statistics
        let calls = file.callCount
        let child = ctest_fork(30)
        if child == 0 { _exit(actAsChild()) }
        #expect(ctest_wait(child) == 0)
        #expect(isFilled)
        #expect(simulator.mappingSnapshot == tables && domain.statistics == before)
        #expect(file.callCount == calls)
        try inherited.take()?.free()
        #expect(domain.statistics.quarantinedExtents == 1)
    }

    func expectAnswered() throws {
        simulator.latency = .seconds(3)
        let calls = file.callCount
        let domain = domain
        Thread.detachNewThread { _ = try? domain.allocate(byteCount: 2 << 20) }
        while file.callCount == calls { usleep(1000) }
        // Now the thread waits for the kernel, with the domain's lock held.
        let child = ctest_fork(2)
        if child == 0 { _exit(actAsChild()) }
        #expect(ctest_wait(child) == 0)
        simulator.latency = .zero
        #expect(domain.statistics.regions >= 3)
    }

    /// - Returns: the number of the first thing that was not as it should be; 0 for none.
    private func actAsChild() -> Int32 {
        // A page of the child's own, where the region was.
        guard let hole = unsafe bytes[2].baseAddress else { return 1 }
        let page = unsafe mmap(
            hole, 4096, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)
        guard unsafe page == hole else { return 1 }
        unsafe hole.storeBytes(of: 1, as: UInt8.self)
        func isRefused(_ body: () throws(DMAError) -> Void) -> Bool {
            do throws(DMAError) {
                try body()
                return false
            } catch {
                return error.code == .notOwner && error.message.contains("forked")
            }
        }
        let id = ids[0]
        let answers = [
            isRefused { () throws(DMAError) in try inherited.take()?.free() },
            isRefused { () throws(DMAError) in try domain.free(id) },
            isRefused { () throws(DMAError) in _ = try domain.allocate(byteCount: 4096) },
            isRefused { () throws(DMAError) in _ = try domain.allocate(byteCount: 2 << 20) },
            isRefused { () throws(DMAError) in try domain.batch { _ throws(DMAError) in } },
            isRefused { () throws(DMAError) in _ = try domain.info(id) },
            isRefused { () throws(DMAError) in try domain.attach(second) },
            isRefused { () throws(DMAError) in try domain.detach(device) },
            isRefused { () throws(DMAError) in try domain.flush() },
            isRefused { () throws(DMAError) in try domain.remap() },
            isRefused { () throws(DMAError) in try device.reset() },
            isRefused { () throws(DMAError) in try device.setQueueEnabled(false, ofQueue: 0) },
        ]
        if let wrong = answers.firstIndex(of: false) { return 10 + Int32(wrong) }
        guard domain.statistics.regions == 0, domain.attachments.isEmpty,
            domain.budget.regions == 0, !domain.needsRemap, domain.range.last.rawValue > 0
        else { return 2 }
        carved = nil
        own = nil
        domain.close()
        // The child's page is there still.
        return unsafe hole.load(as: UInt8.self) == 1 ? 0 : 3
    }
}
