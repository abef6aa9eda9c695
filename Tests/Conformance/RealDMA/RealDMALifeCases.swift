internal import CTestSupport
internal import VDPAMemory
internal import VhostVDPA
internal import VirtioDriver

extension ConformanceCase {
    /// Unmapping under requests, resets under requests, other processes.
    static let blockLife: [ConformanceCase] = [
        ConformanceCase("DMA: memory with a request in flight is not unmapped, or waited for") {
            context in
            let other = try Pages(1)
            var ids: [RegionID] = []
            let rig = try BlockRig(context) { domain in
                for _ in 0..<2 {
                    ids.append(
                        try domain.allocate(
                            byteCount: 64 << 10, options: .init(isolation: .dedicated)
                        ).relinquish())
                }
                ids.append(try unsafe domain.register(other.buffer(0, 1)).relinquish())
            }
            let info = try rig.domain.info(ids[0])
            let memory = unsafe DriverMemory(
                address: info.address, iova: info.range.first, byteCount: 64 << 10)
            try rig.block.submit(.read, sector: 64, data: [memory.slice], token: 7)
            // The driver has not seen its end, whatever the device has done.
            let messages = rig.domain.statistics.messages
            try rig.block.expectInFlight(ids[0])
            try expectEqual(rig.domain.statistics.messages, messages, "messages")
            var completions: [BlockCompletion] = []
            if context.profile == .vduse {
                completions = try rig.block.drain()
                try rig.block.stop()
                for id in ids { try rig.domain.free(id) }
            } else {
                // What nobody uses goes at once.
                try rig.block.free(ids[1])
                try rig.block.free(ids[2])
                try rig.block.free(ids[0], drainingFor: 20_000) { completions += $0 }
            }
            let done = BlockCompletion(token: 7, status: .ok)
            try expectEqual(completions, [done], "the request that was waited for")
            try rig.block.close()
            try expectEqual(rig.domain.statistics.regions, 0, "regions")
        },
        ConformanceCase("DMA: after a reset under load and remap every acknowledged byte is there")
        {
            context in
            var source: PoolSource?
            let rig = try BlockRig(context) { domain in source = try PoolSource(domain) }
            guard let source else { return }
            let work = BlockWorkload(rig.block, source, area: Context.area, seed: 0x4e5e7)
            try work.prepare()
            for _ in 0..<4 {
                for _ in 0..<24 { try work.step(depth: 16) }
                // A daemon that is reset under load may not come back.
                if context.profile == .vduse { try work.finish(downTo: 0) }
                let count = work.outstanding
                let abandoned = try rig.block.restart()
                try expectEqual(abandoned.count, count, "transfers given up")
                work.abandonOutstanding()
                try work.verify()
            }
            try rig.block.close()
        },
        ConformanceCase("DMA: what a second process fills, the device writes to the disk") {
            context in
            var found: RegionID?
            var target: DriverMemory?
            let rig = try BlockRig(context) { domain in
                found = try domain.allocate(
                    byteCount: 64 << 10, options: .init(isolation: .dedicated)
                ).relinquish()
                target = try DriverMemory.owned(by: domain, byteCount: 64 << 10)
            }
            guard let id = found, let target else { return }
            let sector = 30_000
            let seed: UInt64 = 0x2bad
            do {
                let export = try rig.domain.export(id)
                let answer = ctest_child_fills(
                    export.descriptor, UInt64(export.offset), UInt64(export.byteCount),
                    UInt64(sector), 5, seed)
                try expectEqual(answer, 0, "the second process")
            }
            let info = try rig.domain.info(id)
            let shared = DMASlice(iova: info.range.first, byteCount: 64 << 10)
            try rig.block.perform(.write, sector: UInt64(sector), data: [shared])
            try rig.block.perform(.read, sector: UInt64(sector), data: [target.slice])
            var model = DiskModel(area: sector..<sector + 128, seed: seed)
            model.set(sector: sector, count: 128, version: 5)
            try expectEqual(model.firstWrong([target], sector: sector), nil, "the first wrong")
            try rig.block.close()
        },
    ]
}

extension VirtioBlock {
    /// The driver refuses to free what the device may be using, and frees nothing.
    func expectInFlight(_ id: RegionID) throws {
        let range = try domain.info(id).range
        do throws(DriverError) {
            try free(id)
        } catch {
            guard case .inFlight(range) = error else { throw error }
            return
        }
        throw ConformanceFailure(description: "\(range) was freed with a request in flight")
    }
}
