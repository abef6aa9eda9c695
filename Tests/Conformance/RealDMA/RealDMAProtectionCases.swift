internal import CTestSupport
internal import VDPAMemory
internal import VhostVDPA
internal import VirtioDriver

// A request whose data the device must not reach. What the device makes of it differs (status 0, 1,
// none, no completion at all) and is only noted; what counts is that memory and disk hold what they
// held.

extension ConformanceCase {
    static let blockProtection: [ConformanceCase] = [
        ConformanceCase("DMA: a request to an IOVA that was never mapped changes no memory") {
            context in
            let rig = try ProtectedRig(context)
            let place = IOVARange(first: 0x12_3456_0000, last: 0x12_3456_ffff)
            try rig.expectUnreachable(DMASlice(iova: place.first, byteCount: 4096), context)
            try rig.expectIntact()
        },
        ConformanceCase("DMA: memory that was unregistered is out of reach at once") { context in
            let pages = try Pages(16)
            var id: RegionID?
            let rig = try ProtectedRig(context) { domain in
                id = try unsafe domain.register(pages.buffer(0, 16), isolation: .dedicated)
                    .relinquish()
            }
            guard let id else { return }
            let info = try rig.domain.info(id)
            let memory = unsafe DriverMemory(
                address: info.address, iova: info.range.first, byteCount: 16 << 12)
            try rig.expectReachable(memory)
            try rig.free(id, context)
            let view = unsafe View(pages.buffer(0, 16))
            view.fill()
            try rig.expectUnreachable(memory.part(from: 0, byteCount: 4096).slice, context)
            try expectEqual(view.isUntouched, true, "the memory that was unregistered")
            try rig.expectIntact()
        },
        ConformanceCase("DMA: a freed region is out of reach when free returns") { context in
            try context.freedRegion(.init())
        },
        ConformanceCase("DMA: deferred, a freed region is out of reach when the flush returns") {
            try $0.freedRegion(.init(unmapping: .deferred(maximumBytes: 1 << 30)))
        },
    ]
}

extension Context {
    /// The region's memory is watched by a descriptor of its own, which outlives the region.
    fileprivate func freedRegion(_ options: DMADomainOptions) throws {
        var id: RegionID?
        let rig = try ProtectedRig(self, options) { domain in
            id = try domain.allocate(byteCount: 16 << 12, options: .init(isolation: .dedicated))
                .relinquish()
        }
        guard let id else { return }
        let export = try rig.domain.export(id)
        let size = UInt64(export.mappableByteCount)
        guard let mapped = unsafe ctest_map(export.descriptor, size) else {
            throw ConformanceFailure(description: "the export is not mapped")
        }
        defer { unsafe ctest_unmap(mapped, size) }
        let view = unsafe View(
            UnsafeMutableRawBufferPointer(start: UnsafeMutableRawPointer(mapped), count: 16 << 12))
        let info = try rig.domain.info(id)
        let memory = unsafe DriverMemory(
            address: info.address, iova: info.range.first, byteCount: 16 << 12)
        try rig.expectReachable(memory)
        if options.unmapping == .immediate {
            try rig.free(id, self)
        } else {
            try rig.block.free(id)
            try expectEqual(rig.domain.statistics.quarantinedExtents, 1, "in quarantine")
            // Until the flush the device can still write there, and nobody else has the memory.
            view.fill()
            try rig.block.perform(.read, sector: rig.sector, data: [memory.slice])
            try expectEqual(view.isUntouched, false, "the memory in quarantine")
            try rig.quiesced(self) { () throws(DMAError) in try rig.domain.flush() }
        }
        view.fill()
        try rig.expectUnreachable(memory.part(from: 0, byteCount: 4096).slice, self)
        try expectEqual(view.isUntouched, true, "the memory that was freed")
        try rig.expectIntact()
    }
}

/// Memory of this process that is looked at after the device has lost it.
@safe private struct View {
    private let bytes: UnsafeMutableRawBufferPointer

    init(_ bytes: UnsafeMutableRawBufferPointer) { unsafe self.bytes = bytes }

    // Safe, both: who made the view keeps the memory mapped.
    func fill() { unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0x5a) }
    var isUntouched: Bool { unsafe bytes.allSatisfy { $0 == 0x5a } }
}

/// A driver, data on the disk, and memory that must stay as it is.
private struct ProtectedRig {
    private let rig: BlockRig
    private let work: BlockWorkload
    private let witness: DriverMemory
    private let scratch: DriverMemory

    var domain: DMADomain { rig.domain }
    var block: VirtioBlock { rig.block }
    /// Known data is here.
    var sector: UInt64 { UInt64(work.model.area.lowerBound) }

    init(
        _ context: Context, _ options: DMADomainOptions = .init(),
        before: (DMADomain) throws -> Void = { _ in }
    ) throws {
        var blocks: (witness: DriverMemory, scratch: DriverMemory, source: any BufferSource)?
        rig = try BlockRig(context, domain: options) { domain in
            try before(domain)
            blocks = (
                try DriverMemory.owned(by: domain, byteCount: 256 << 10),
                try DriverMemory.owned(by: domain, byteCount: 64 << 10),
                try PoolSource(domain)
            )
        }
        guard let blocks else { throw ConformanceFailure(description: "no memory") }
        witness = blocks.witness
        scratch = blocks.scratch
        work = BlockWorkload(rig.block, blocks.source, area: 20_000..<20_512, seed: 0x9207)
        try work.prepare()
        unsafe witness.bytes.initializeMemory(as: UInt8.self, repeating: 0xc3)
    }

    /// The device reads and writes it while it is mapped.
    func expectReachable(_ memory: DriverMemory) throws {
        let slices = [memory.slice]
        try block.perform(.read, sector: sector, data: slices)
        var model = work.model
        let wrong = model.firstWrong([memory], sector: Int(sector))
        try expectEqual(wrong, nil, "what was read while it was mapped")
        try block.perform(.write, sector: sector, data: slices)
    }

    /// Both directions, and what came of them.
    func expectUnreachable(_ slice: DMASlice, _ context: Context) throws {
        let before = try content()
        let read = try attempt(.read, slice)
        context.note("a read to an unmapped IOVA: \(read)")
        let write = try attempt(.write, slice)
        context.note("a write from an unmapped IOVA: \(write)")
        try expectEqual(
            unsafe witness.bytes.allSatisfy { $0 == 0xc3 }, true, "memory elsewhere")
        // Behind an IOMMU a device's own buffer stands in for what it cannot reach, and is zeros:
        // what must never get to the disk is anybody's memory.
        let after = try content()
        let isEmpty = after.allSatisfy { $0 == 0 }
        try expectEqual(after == before || isEmpty, true, "the disk holds what it held, or zeros")
        context.note("then the disk holds \(after == before ? "what it held" : "zeros")")
        // As it was, for what follows.
        for index in 0..<4096 { unsafe scratch.bytes[index] = before[index] }
        let part = scratch.part(from: 0, byteCount: 4096)
        try block.perform(.write, sector: sector, data: [part.slice])
    }

    /// What the device answers; a device that does not is reset.
    private func attempt(_ operation: BlockOperation, _ slice: DMASlice) throws -> String {
        do throws(DriverError) {
            let status = try block.attempt(
                operation, sector: sector, data: [slice], milliseconds: 1500)
            return "completed, \(status)"
        } catch {
            switch error {
            case .timedOut:
                try block.restart()
                return "no completion"
            case .needsReset:
                try block.restart()
                return "the device asks for a reset"
            default: throw error
            }
        }
    }

    private func content() throws -> [UInt8] {
        let part = scratch.part(from: 4096, byteCount: 4096)
        try block.perform(.read, sector: sector, data: [part.slice])
        return unsafe Array(part.bytes)
    }

    /// Frees a region as the device allows it.
    func free(_ id: RegionID, _ context: Context) throws {
        try quiesced(context) { () throws(DMAError) in try domain.free(id) }
    }

    /// Unmaps while no request is outstanding. VDUSE's daemon loses its regions with every message,
    /// so that its device is stopped for it.
    func quiesced(_ context: Context, _ body: () throws(DMAError) -> Void) throws {
        try expectEqual(block.outstanding, 0, "outstanding")
        guard context.profile == .vduse else { return try body() }
        try block.stop()
        try body()
        try block.restart()
    }

    /// The same driver, the same data: after a reset, and as it is.
    func expectIntact() throws {
        try work.verify()
        try block.restart()
        try work.verify()
        try work.run(transfers: 20, depth: 4)
        try work.verify()
        try block.close()
    }
}
