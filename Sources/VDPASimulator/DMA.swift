internal import CVhostVDPA
internal import IOVAAllocator

// The device's side of memory: through its own table, which is not always the kernel's.

extension DeviceState {
    mutating func dmaRead(_ iova: IOVA, byteCount: Int, space: UInt32) -> [UInt8]? {
        access(iova, byteCount, .read, space) { pieces in
            var bytes: [UInt8] = []
            bytes.reserveCapacity(byteCount)
            for piece in pieces {
                guard let part = ProcessMemory.read(piece.address, count: piece.byteCount) else {
                    return .failure(piece)
                }
                bytes += part
            }
            return .success(bytes)
        }
    }

    mutating func dmaWrite(_ bytes: [UInt8], _ iova: IOVA, space: UInt32) -> Bool {
        let done: Void? = access(iova, bytes.count, .write, space) { pieces in
            // All or nothing: what cannot be read back cannot have been mapped either.
            if let piece = pieces.first(where: { !$0.isPresent }) { return .failure(piece) }
            var offset = 0
            for piece in pieces {
                let part = Array(bytes[offset..<offset + piece.byteCount])
                guard ProcessMemory.write(part, to: piece.address) else { return .failure(piece) }
                offset += piece.byteCount
            }
            return .success(())
        }
        return done != nil
    }

    /// Translates the whole access first, so that a refused one changes nothing.
    private mutating func access<Answer>(
        _ iova: IOVA, _ byteCount: Int, _ kind: DMAFault.Kind, _ space: UInt32,
        _ body: ([HostPiece]) -> Result<Answer, HostPiece>
    ) -> Answer? {
        func fault(at address: IOVA, _ reason: DMAFault.Reason) -> DMAFault {
            DMAFault(
                iova: address, byteCount: byteCount, kind: kind, reason: reason,
                addressSpace: space)
        }
        guard !plan.isDeviceGone else {
            faults.append(fault(at: iova, .deviceGone))
            return nil
        }
        var pieces: [HostPiece] = []
        var next = iova
        var remaining = byteCount
        while remaining > 0 {
            guard Int(space) < deviceTables.count,
                let entry = deviceTables[Int(space)].entry(containing: next)
            else {
                faults.append(fault(at: next, .unmapped))
                return nil
            }
            guard entry.access & (kind == .read ? 1 : 2) != 0 else {
                faults.append(fault(at: next, .notPermitted))
                return nil
            }
            let offset = next.rawValue - entry.range.first.rawValue
            let available = entry.range.last.rawValue - next.rawValue
            let count = available >= UInt64(remaining) ? remaining : Int(available) + 1
            pieces.append(
                HostPiece(iova: next, address: entry.address &+ UInt(offset), byteCount: count))
            remaining -= count
            guard remaining > 0 else { break }
            guard let after = next.advanced(by: UInt64(count)) else {
                faults.append(fault(at: next, .unmapped))
                return nil
            }
            next = after
        }
        switch body(pieces) {
        case .success(let answer): return answer
        case .failure(let piece):
            faults.append(fault(at: piece.iova, .memoryGone))
            return nil
        }
    }
}

/// A piece of an access inside one entry.
private struct HostPiece: Error {
    var iova: IOVA
    var address: UInt
    var byteCount: Int

    /// Whether the process still has memory there.
    var isPresent: Bool { ProcessMemory.read(address, count: byteCount) != nil }
}
