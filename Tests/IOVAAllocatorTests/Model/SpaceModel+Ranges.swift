import IOVAAllocator
import TestSupport

extension SpaceModel {
    mutating func reserve(
        _ range: IOVARange, _ policy: ReservationPolicy
    ) throws(Mismatch) {
        let obstacle = oracle.entries(meeting: range.raw).first { isRegion($0.kind) }
        do {
            try space.reserve(range, fixedPlacement: policy)
        } catch {
            if isExpectedExhaustion(error) { return }
            count("reserve refused")
            try requireOverlap(error, range, obstacle)
            return
        }
        count("reserve")
        try require(obstacle == nil, "\(range) was reserved over \(String(describing: obstacle))")
        oracle.reserve(range.raw, guarded: policy == .guarded)
        reservations.append((range, policy))
    }

    mutating func cancel(
        _ range: IOVARange, _ policy: ReservationPolicy
    ) throws(Mismatch) {
        let index = reservations.firstIndex { $0.range == range && $0.policy == policy }
        do {
            try space.cancelReservation(range, fixedPlacement: policy)
        } catch {
            if index != nil, isExpectedExhaustion(error) { return }
            count("no such reservation")
            try require(
                error == .noSuchReservation(range) && index == nil, "cancelling: \(error)")
            return
        }
        count("cancel")
        guard let index else { throw Mismatch("cancelled \(range), which is not reserved") }
        reservations.remove(at: index)
        try require(
            oracle.cancel(range.raw, guarded: policy == .guarded), "the oracle has lost \(range)")
    }

    mutating func addUsable(_ range: IOVARange) throws(Mismatch) {
        let isUnusable = oracle.entries(meeting: range.raw).contains {
            $0.kind == .unusable && $0.first <= range.raw.lowerBound
                && range.raw.upperBound <= $0.last
        }
        do {
            try space.addUsable(range)
        } catch {
            if isExpectedExhaustion(error) { return }
            count("addUsable refused")
            try require(
                !isUnusable
                    && error == .alreadyUsable(range, met: IOVARange(firstUsable(range.raw))),
                "adding \(range): \(error)")
            return
        }
        count("addUsable")
        try require(isUnusable, "\(range) was usable in part and was added")
        oracle.addUsable(range.raw)
    }

    mutating func withdrawUsable(_ range: IOVARange) throws(Mismatch) {
        let met = oracle.entries(meeting: range.raw)
        let region = met.first { isRegion($0.kind) }
        let unusable = met.first { $0.kind == .unusable }
        do {
            try space.withdrawUsable(range)
        } catch {
            if isExpectedExhaustion(error) { return }
            count("withdraw refused")
            if region != nil {
                try requireOverlap(error, range, region)
            } else if case .unusable(range, let entry) = error, let unusable {
                try require(isSame(entry, unusable), "withdrawing \(range): \(error)")
            } else {
                throw Mismatch("withdrawing \(range): \(error)")
            }
            return
        }
        count("withdraw")
        try require(region == nil && unusable == nil, "\(range) was withdrawn over \(met)")
        oracle.withdrawUsable(range.raw)
    }

    /// Nothing but the capacities changes; `check` sees that.
    mutating func grow(_ regionCapacity: Int, _ reservationCapacity: Int?) throws(Mismatch) {
        let cached = space.cachedByteCount
        var refusal: IOVASpaceError?
        do {
            try space.grow(
                regionCapacity: regionCapacity, reservationCapacity: reservationCapacity)
        } catch { refusal = error }
        if regionCapacity < self.regionCapacity {
            count("growth refused")
            try require(
                refusal == .badCapacity(regionCapacity),
                "from \(self.regionCapacity) to \(regionCapacity): \(String(describing: refusal))")
        } else {
            count("growth")
            try require(refusal == nil, "no growth: \(String(describing: refusal))")
            self.regionCapacity = regionCapacity
        }
        try require(space.cachedByteCount == cached, "a growth has flushed what was kept")
        try require(space.regionCapacity == self.regionCapacity, "\(space.regionCapacity) regions")
    }

    /// The first part of a range that is not unusable.
    private func firstUsable(_ range: ClosedRange<UInt64>) -> ClosedRange<UInt64> {
        var first = range.lowerBound
        for entry in oracle.entries(meeting: range) where entry.kind == .unusable {
            if entry.first > first { return first...(entry.first - 1) }
            first = entry.last + 1
        }
        return first...range.upperBound
    }

    private func isRegion(_ kind: OracleKind) -> Bool {
        switch kind {
        case .region, .quarantined, .gap: true
        case .placeable, .guarded, .unusable: false
        }
    }

    private func requireOverlap(
        _ error: IOVASpaceError, _ range: IOVARange, _ obstacle: OracleEntry?
    ) throws(Mismatch) {
        guard case .overlap(range, let met) = error, let obstacle, isSame(met, obstacle) else {
            throw Mismatch("\(range) refused by \(error), not \(String(describing: obstacle))")
        }
    }
}
