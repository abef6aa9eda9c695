import Testing
import VDPAMemory
import VDPASimulator
import VirtioDeviceModel
import VirtioDriver

/// What becomes of a driver, its memory and its data when the device fails it: at every call in
/// turn.
@Suite struct FaultMatrixTests {
    static let configurations: [(name: String, value: SimulatedDevice.Configuration)] = [
        ("vdpa_sim", .vdpaSimBlock()), ("vp_vdpa", .vpVDPA()), ("VDUSE", .vduse()),
    ]

    /// One life of a driver: memory mapped and unmapped around requests. What the device has
    /// acknowledged is noted as it goes.
    private struct Life {
        let disk: SimulatedDisk
        var acknowledged: [Int] = []
        var block: VirtioBlock?

        init(_ configuration: SimulatedDevice.Configuration) throws {
            disk = try SimulatedDisk(configuration)
        }

        static func pattern(_ step: Int) -> UInt8 { UInt8(17 + step) }

        mutating func run() throws {
            var options = BlockOptions()
            options.queueSize = 16
            options.timeoutMilliseconds = 5000
            let block = try VirtioBlock(disk.device, disk.domain, options)
            self.block = block
            for step in 0..<2 {
                let region = try disk.domain.allocate(
                    byteCount: 8192, options: .init(isolation: .dedicated))
                let memory = DriverMemory(region)
                unsafe memory.bytes.initializeMemory(
                    as: UInt8.self, repeating: Life.pattern(step))
                try block.perform(.write, sector: UInt64(step * 16), data: [memory.slice])
                acknowledged.append(step)
                try block.perform(.read, sector: 0, data: [memory.slice])
                try region.free()
            }
            try block.stop()
            try disk.domain.remap()
            try block.restart()
            try block.close()
            self.block = nil
        }

        /// What was acknowledged is on the disk.
        var isDataThere: Bool {
            acknowledged.allSatisfy { step in
                disk.model.content(sector: step * 16, count: 16)
                    == [UInt8](repeating: Life.pattern(step), count: 8192)
            }
        }
    }

    /// The errors are typed: the library's own, or the driver's.
    private static func isTyped(_ error: any Error) -> Bool {
        error is DMAError || error is DriverError
    }

    /// Calls of a life without a failure, before its first and after its last.
    private static func calls(
        _ configuration: SimulatedDevice.Configuration
    ) throws -> ClosedRange<Int> {
        var life = try Life(configuration)
        let first = life.disk.simulated.calls + 1
        try life.run()
        return first...life.disk.simulated.calls
    }

    @Test(arguments: configurations.indices)
    func `a device that goes away at any call loses no acknowledged byte`(_ index: Int) throws {
        let configuration = FaultMatrixTests.configurations[index].value
        var codes: Set<DMAError.Code> = []
        for call in try FaultMatrixTests.calls(configuration) {
            var life = try Life(configuration)
            life.disk.simulated.disappear(atCall: call)
            var failure: (any Error)?
            do { try life.run() } catch { failure = error }
            let error = try #require(failure, "call \(call)")
            #expect(FaultMatrixTests.isTyped(error), "call \(call): \(error)")
            let reason = (error as? DriverError)?.dmaError ?? error as? DMAError
            if let code = reason?.code { codes.insert(code) }
            #expect(life.isDataThere, "call \(call)")
            // Cleanly dead: nothing works any more, and everything says why.
            #expect(throws: DMAError.self) { _ = try life.disk.device.status }
            #expect(throws: DMAError.self) {
                _ = try life.disk.domain.allocate(
                    byteCount: 4096, options: .init(isolation: .dedicated))
            }
            life.block = nil
            life.disk.domain.close()
            #expect(life.disk.domain.statistics.regions == 0, "call \(call)")
        }
        // In the middle of an undo, what is left is said.
        #expect(codes.contains(.deviceGone))
        #expect(codes.isSubset(of: [.deviceGone, .undoIncomplete]))
    }

    @Test(arguments: configurations.indices)
    func `any call that fails once is survived: remap and restart, and the data is there`(
        _ index: Int
    ) throws {
        let configuration = FaultMatrixTests.configurations[index].value
        for call in try FaultMatrixTests.calls(configuration) {
            // EFAULT as the kernel's refusals, EIO as of a VDUSE daemon that does not answer, EBADF
            // as of a descriptor that somebody closed.
            let errno: Int32 = [14, 5, 9][call % 3]
            var life = try Life(configuration)
            life.disk.simulated.failCall(call, errno: errno)
            do { try life.run() } catch {
                #expect(FaultMatrixTests.isTyped(error), "call \(call): \(error)")
            }
            life.disk.simulated.clearFaultPlan()
            #expect(life.isDataThere, "call \(call)")
            life.block = nil
            try life.disk.device.reset()
            try life.disk.domain.remap()
            try life.run()
            #expect(life.isDataThere, "call \(call)")
            // What could not be unmapped then, is now.
            try life.disk.domain.flush()
            try life.disk.domain.trim()
            #expect(life.disk.domain.statistics.mappedBytes == 0, "call \(call)")
            #expect(life.disk.simulated.kernelEntries().isEmpty, "call \(call)")
            #expect(life.disk.simulated.deviceEntries().isEmpty, "call \(call)")
            #expect(!life.disk.simulated.isInBatch, "call \(call)")
        }
    }

    @Test func `a device that takes 20 ms for each call is waited for`() throws {
        var life = try Life(.vduse())
        life.disk.simulated.latency = .milliseconds(20)
        try life.run()
        #expect(life.isDataThere)
        #expect(life.disk.simulated.faults.isEmpty)
    }

    @Test func `a request that is late is given up by a reset, and its memory is safe`() throws {
        var options = BlockOptions()
        options.timeoutMilliseconds = 30
        let disk = try SimulatedDisk(.vduse(), onFault: .silence)
        let block = try VirtioBlock(disk.device, disk.domain, options)
        let region = try disk.domain.allocate(
            byteCount: 4096, options: .init(isolation: .dedicated))
        let memory = DriverMemory(region)
        let id = region.relinquish()
        disk.model.requestMilliseconds = 2000
        #expect(throws: DriverError.self) {
            try block.perform(.read, data: [memory.slice])
        }
        #expect(block.outstanding == 1)
        // Late is not gone: the device may write there still.
        #expect(throws: DriverError.self) { try block.free(id) }
        #expect(throws: DriverError.self) { try block.free(id, drainingFor: 30) }
        #expect(try block.restart() == [0])
        disk.model.requestMilliseconds = 0
        try block.free(id)
        #expect(disk.simulated.faults.isEmpty, "a device that was reset makes no access")
        try block.close()
        try disk.domain.trim()
        #expect(disk.domain.statistics.mappedBytes == 0)
    }

    @Test func `a closed device answers every operation with a typed error`() throws {
        let disk = try SimulatedDisk()
        let block = try VirtioBlock(disk.device, disk.domain)
        let region = try disk.domain.allocate(byteCount: 4096)
        let memory = DriverMemory(region)
        disk.domain.close()
        #expect(throws: DMAError.self) { _ = try disk.domain.allocate(byteCount: 4096) }
        #expect(throws: DMAError.self) { try disk.domain.remap() }
        // The rings are unmapped: nothing completes, and nothing is written.
        #expect(throws: DriverError.self) {
            _ = try block.attempt(.read, data: [memory.slice], milliseconds: 50)
        }
        #expect(throws: DriverError.self) { try block.restart() }
        #expect(throws: DriverError.self) { try block.submit(.read, data: [memory.slice]) }
    }

    // BATCH_END answers success whatever the device made of the table (drivers/vhost/vdpa.c).
    @Test func `a table that is lost at BATCH_END is invisible, faults, and is repaired`() throws {
        let disk = try SimulatedDisk(.vdpaSimBlock())
        let block = try VirtioBlock(disk.device, disk.domain)
        let region = try disk.domain.allocate(byteCount: 8192)
        let memory = DriverMemory(region)
        unsafe memory.bytes.initializeMemory(as: UInt8.self, repeating: 0x3c)
        let source = memory.part(from: 0, byteCount: 4096)
        try block.perform(.write, sector: 8, data: [source.slice])

        disk.simulated.failNext(.batchEndSetMap, errno: 12)
        let ids = try disk.domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            for _ in 0..<2 {
                ids.append(
                    try batch.allocate(byteCount: 4096, options: .init(isolation: .dedicated)))
            }
            return ids
        }
        // Nothing tells: the batch was done, and the kernel's own table is whole.
        #expect(!disk.domain.needsRemap)
        #expect(disk.simulated.kernelEntries().count > disk.simulated.deviceEntries().count)
        #expect(disk.simulated.deviceEntries().isEmpty)
        #expect(disk.simulated.faults.isEmpty)

        // The device's next access faults, and memory stays as it is.
        let target = memory.part(from: 4096, byteCount: 4096)
        #expect(throws: DriverError.self) {
            _ = try block.attempt(.read, sector: 8, data: [target.slice], milliseconds: 100)
        }
        #expect(!disk.simulated.faults.isEmpty)
        #expect(disk.simulated.faults.allSatisfy { $0.reason == .unmapped })
        #expect(unsafe target.bytes.allSatisfy { $0 == 0x3c })

        // remap() alone repairs it: what was outstanding is served.
        try disk.domain.remap()
        #expect(
            disk.simulated.kernelEntries().map(\.range)
                == disk.simulated.deviceEntries().map(\.range))
        disk.simulated.clearFaults()
        let completions = try block.drain()
        #expect(completions.map(\.status) == [.ok])
        try block.perform(.read, sector: 8, data: [target.slice])
        #expect(unsafe target.bytes.allSatisfy { $0 == 0x3c })
        #expect(disk.simulated.faults.isEmpty)
        for id in ids { try disk.domain.free(id) }
        try block.close()
    }
}
