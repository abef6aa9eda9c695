import Foundation
import Testing
import VDPAMemory
import VDPASimulator
import VhostVDPA

/// The end of a process, and what closes last.
@Suite("The end of a domain and of its process")
struct DomainEndTests {
    /// Lives until the process ends: nobody releases it.
    private final class Leaked: Sendable {
        let domain: DMADomain
        let ids: [RegionID]

        init(_ domain: DMADomain) throws {
            self.domain = domain
            ids = try domain.batch { batch throws(DMAError) in
                [
                    try batch.allocate(byteCount: 4096),
                    try batch.allocate(byteCount: 2 << 20),
                    try batch.allocate(byteCount: 8192, options: .init(isolation: .dedicated)),
                ]
            }
        }
    }

    @Test func `a process that leaks regions, a domain and a batch under way exits with 0`() async {
        await #expect(processExitsWith: .exitCode(0)) {
            let simulator = SimulatedDevice(.vdpaSimNet())
            let domain = try DMADomain(
                try VDPADevice(simulator),
                options: .init(unmapping: .deferred(maximumBytes: 1 << 30)))
            let leaked = try Leaked(domain)
            // One waits in quarantine, one has an owner that no scope ends.
            try domain.free(leaked.ids[1])
            let owner = UnsafeMutablePointer<DMARegion>.allocate(capacity: 1)
            unsafe owner.initialize(to: try domain.allocate(byteCount: 4096))
            _ = unsafe Unmanaged.passRetained(leaked)
            #expect(simulator.isOpen && simulator.kernelEntries().count > 1)
            exit(0)
        }
    }

    @Test func `the descriptor closes last, once, whoever goes first`() throws {
        for order in 0..<3 {
            let simulator = SimulatedDevice(.vdpaSimNet())
            let file = WatchedFile(simulator)
            var device: VDPADevice? = try VDPADevice(
                file: file, traits: DeviceTraits(of: simulator))
            var domain: DMADomain? = try DMADomain(try #require(device))
            var region: DMARegion? = try domain?.allocate(byteCount: 2 << 20)
            let small = try domain?.allocate(byteCount: 4096).relinquish()
            #expect(small != nil && region != nil)
            // The last of the three references goes last in its turn.
            for step in 0..<3 {
                #expect(file.closeCount == 0, "order \(order), step \(step)")
                switch (step + order) % 3 {
                case 0: device = nil
                case 1: domain = nil
                default: region = nil
                }
            }
            #expect(device == nil && domain == nil)
            #expect(file.closeCount == 1, "order \(order)")
            // What was mapped was unmapped while the file was open.
            #expect(simulator.messageCount(.invalidate) + simulator.messageCount(.batchEnd) > 0)
            #expect(simulator.pinnedByteCount == 0 && !simulator.isOpen)
        }
    }
}
