import IOVAAllocator

/// Arguments that no space takes, whatever it holds.
extension SpaceModel {
    /// The refusal that an operation's arguments alone bring about; nil where it depends on more.
    func wrongArgument(_ operation: SpaceOperation) -> IOVASpaceError? {
        switch operation {
        case .allocate(let byteCount, let alignment, let placement, _, _):
            let most = UInt128(1) << 64 - UInt128(granule)
            if byteCount == 0 || UInt128(byteCount) > most { return .badSize(byteCount: byteCount) }
            if alignment.nonzeroBitCount != 1 { return .badAlignment(alignment) }
            // A full space looks at no place.
            if live.count + quarantined.count == regionCapacity { return nil }
            return wrongPlace(placement, byteCount)
        case .reserve(let range, _), .addUsable(let range), .withdrawUsable(let range):
            let isWhole =
                UInt128(range.raw.lowerBound) % UInt128(granule) == 0
                && (UInt128(range.raw.upperBound) + 1) % UInt128(granule) == 0
            return isWhole ? nil : .misaligned(range, granule: granule)
        case .free, .freeAt, .quarantine, .release, .cancel, .flush, .grow:
            return nil
        }
    }

    private func wrongPlace(_ placement: IOVAPlacement, _ byteCount: UInt64) -> IOVASpaceError? {
        guard case .fixed(let first, _) = placement, first.rawValue % granule != 0 else {
            return nil
        }
        let size = (byteCount + (granule - 1)) / granule * granule
        guard let range = IOVARange(first: first, byteCount: size) else { return nil }
        return .misaligned(range, granule: granule)
    }

    /// Asks for it, and expects exactly that refusal; `check` sees that nothing has changed.
    mutating func expect(
        _ refusal: IOVASpaceError, of operation: SpaceOperation
    ) throws(Mismatch) {
        var seen: IOVASpaceError?
        do {
            switch operation {
            case .allocate(
                let byteCount, let alignment, let placement, let congruentTo, let gaps):
                _ = try space.allocate(
                    byteCount: byteCount, alignment: alignment, placement: placement,
                    congruentTo: congruentTo, guardGaps: gaps)
            case .reserve(let range, let policy):
                try space.reserve(range, fixedPlacement: policy)
            case .addUsable(let range):
                try space.addUsable(range)
            case .withdrawUsable(let range):
                try space.withdrawUsable(range)
            case .free, .freeAt, .quarantine, .release, .cancel, .flush, .grow:
                break
            }
        } catch { seen = error }
        try require(
            seen == refusal, "answered \(String(describing: seen)), expected \(refusal)")
        switch refusal {
        case .badSize: count("badSize")
        case .badAlignment: count("badAlignment")
        default: count("misaligned")
        }
    }
}
