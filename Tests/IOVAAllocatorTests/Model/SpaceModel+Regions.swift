import IOVAAllocator
import TestSupport

extension SpaceModel {
    mutating func free(_ handle: IOVAHandle) throws(Mismatch) {
        let index = live.firstIndex { $0.handle == handle }
        do {
            let range = try space.free(handle)
            count("free")
            guard let index, live[index].range == range else {
                throw Mismatch("freed \(range) by the handle of nothing or something else")
            }
            forget(live.remove(at: index))
        } catch let error as IOVASpaceError {
            count("stale handle")
            try require(index == nil && error == .noSuchRegion, "a live region: \(error)")
        } catch {
            throw error as? Mismatch ?? Mismatch("\(error)")
        }
    }

    mutating func free(at address: IOVA) throws(Mismatch) {
        let index = live.firstIndex { $0.range.first == address }
        do {
            let range = try space.free(startingAt: address)
            count("free by address")
            guard let index, live[index].range == range else {
                throw Mismatch("freed \(range) by \(address)")
            }
            forget(live.remove(at: index))
        } catch let error as IOVASpaceError {
            count("no region there")
            try require(index == nil && error == .noSuchRegion, "a live region: \(error)")
        } catch {
            throw error as? Mismatch ?? Mismatch("\(error)")
        }
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
