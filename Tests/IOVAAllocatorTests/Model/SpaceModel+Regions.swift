import IOVAAllocator
import TestSupport

extension SpaceModel {
    mutating func free(_ handle: IOVAHandle) throws(Mismatch) {
        let index = live.firstIndex { $0.handle == handle }
        var refusal: IOVASpaceError?
        var freed: IOVARange?
        do { freed = try space.free(handle) } catch { refusal = error }
        guard let index else {
            count("stale handle")
            try require(refusal == .noSuchRegion, "freed what does not live: \((freed, refusal))")
            return
        }
        count("free")
        try require(freed == live[index].range, "a live region was freed as \((freed, refusal))")
        forget(live.remove(at: index))
    }

    mutating func free(at address: IOVA) throws(Mismatch) {
        let index = live.firstIndex { $0.range.first == address }
        var refusal: IOVASpaceError?
        var freed: IOVARange?
        do { freed = try space.free(startingAt: address) } catch { refusal = error }
        guard let index else {
            count("no region there")
            try require(
                refusal == .noSuchRegion, "freed nothing at \(address): \((freed, refusal))")
            return
        }
        count("free by address")
        try require(freed == live[index].range, "\(address) was freed as \((freed, refusal))")
        forget(live.remove(at: index))
    }

    mutating func quarantine(_ handle: IOVAHandle) throws(Mismatch) {
        let index = live.firstIndex { $0.handle == handle }
        var refusal: IOVASpaceError?
        do { try space.quarantine(handle) } catch { refusal = error }
        guard let index else {
            try require(refusal == .noSuchRegion, "quarantined what does not live")
            return
        }
        count("quarantine")
        try require(refusal == nil, "a live region was not quarantined")
        oracle.quarantine(id: ids[handle] ?? -1)
        quarantined.append(live.remove(at: index))
    }

    mutating func release(_ handle: IOVAHandle) throws(Mismatch) {
        let index = quarantined.firstIndex { $0.handle == handle }
        var refusal: IOVASpaceError?
        var released: IOVARange?
        do { released = try space.releaseQuarantined(handle) } catch { refusal = error }
        guard let index else {
            try require(refusal == .noSuchRegion, "released what was not in quarantine")
            return
        }
        count("release")
        try require(
            released == quarantined[index].range, "released \(String(describing: released))")
        forget(quarantined.remove(at: index))
    }
}
