/// A reservation as it was asked for. Reservations may overlap each other; the tree holds their
/// union, cut where a region was placed over it.
struct Reservation: Equatable {
    var range: IOVARange
    var policy: ReservationPolicy
}

extension [Reservation] {
    /// How many of them meet `range`.
    func count(overlapping range: IOVARange) -> Int {
        reduce(into: 0) { count, reservation in
            if reservation.range.overlaps(range) { count += 1 }
        }
    }

    /// How many more entries there may be once an owned entry of `range` has been freed, at most:
    /// the k reservations under it have 2k - 1 pieces at worst (one inside another, of the other
    /// policy), and the entry itself goes.
    func debt(over range: IOVARange) -> Int { Swift.max(0, 2 * (count(overlapping: range) - 1)) }

    /// The union inside `hole`, cut where the policy changes: guarded wins over placeable.
    ///
    /// - Complexity: O(k^2) for the k reservations that meet the hole; there are few.
    func pieces(inside hole: IOVARange) -> [Reservation] {
        let relevant = compactMap { reservation -> Reservation? in
            guard let range = reservation.range.intersection(hole) else { return nil }
            return Reservation(range: range, policy: reservation.policy)
        }
        var starts = Set<IOVA>()
        for piece in relevant {
            starts.insert(piece.range.first)
            if let behind = piece.range.last.advanced(by: 1), behind <= hole.last {
                starts.insert(behind)
            }
        }
        let sorted = starts.sorted()
        var result: [Reservation] = []
        for (index, first) in sorted.enumerated() {
            let last =
                index + 1 < sorted.count ? IOVA(sorted[index + 1].rawValue - 1) : hole.last
            let covering = relevant.filter { $0.range.contains(first) }
            guard !covering.isEmpty else { continue }
            let policy: ReservationPolicy =
                covering.contains { $0.policy == .guarded } ? .guarded : .placeable
            if let previous = result.last, previous.policy == policy,
                previous.range.last.advanced(by: 1) == first
            {
                result[result.count - 1].range = IOVARange(first: previous.range.first, last: last)
            } else {
                result.append(
                    Reservation(range: IOVARange(first: first, last: last), policy: policy))
            }
        }
        return result
    }
}
