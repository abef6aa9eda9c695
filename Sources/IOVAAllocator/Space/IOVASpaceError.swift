/// Why the space refused. Nothing has changed when one of these is thrown.
public enum IOVASpaceError: Error, Hashable, Sendable {
    /// A size of 0, or one that reaches past 2^64 when it is rounded up to the granule.
    case badSize(byteCount: UInt64)
    /// An alignment that is not a power of two.
    case badAlignment(UInt64)
    /// A `congruentTo` that is not a whole number of granules: no range starts there.
    case badCongruence(UInt64, granule: UInt64)
    /// The range with its guard gaps reaches past the ends of the address space.
    case badGuardGaps(IOVAGuardGaps, byteCount: UInt64)
    /// A capacity that is not positive, above 2^28, or less than the space has.
    case badCapacity(Int)
    /// A range or address that is not made of whole granules.
    case misaligned(IOVARange, granule: UInt64)
    /// No hole holds the request, guard gaps included: proven, not guessed. `largestHole` is what
    /// would fit at that alignment, anywhere in the space.
    case noSpace(byteCount: UInt64, alignment: UInt64, largestHole: UInt64)
    /// The range meets an entry that it may not meet.
    case overlap(IOVARange, with: IOVAEntry)
    /// The range cannot be made usable, because a part of it is already: `met` is the first such
    /// part.
    case alreadyUsable(IOVARange, met: IOVARange)
    /// The range reaches outside the usable ranges.
    case unusable(IOVARange, with: IOVAEntry)
    /// The capacity that was stated at creation, or by `grow`, is used up.
    case capacityExhausted(regionCapacity: Int)
    /// Reservations, ranges over them and guard gaps have used up the tree's entries;
    /// a larger `reservationCapacity`, at creation or by `grow`, has room for more.
    case entriesExhausted(entryCapacity: Int)
    /// The system has no memory for the metadata of a larger space.
    case noMetadataMemory(regionCapacity: Int)
    /// The handle or address names no live region: freed already, or never handed out.
    case noSuchRegion
    /// No such reservation.
    case noSuchReservation(IOVARange)
}

extension IOVASpaceError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .badSize(let count):
            "a range of \(count) bytes cannot be placed: ask for 1 byte to 2^64 less a granule"
        case .badAlignment(let alignment):
            "an alignment of \(alignment) is not a power of two"
        case .badCongruence(let address, let granule):
            "\(IOVA(address)) is not a whole number of granules of \(granule) bytes, so no range is"
                + " congruent to it: round it to a granule, or use a smaller granule"
        case .badGuardGaps(let gaps, let count):
            "\(count) bytes with gaps of \(gaps.before) bytes before and \(gaps.behind) behind reach"
                + " past the address space: ask for smaller gaps, or a place further from its end"
        case .badCapacity(let capacity):
            "a capacity of \(capacity) is not between 1, or what the space has, and 2^28"
        case .misaligned(let range, let granule):
            "\(range) is not made of whole granules of \(granule) bytes"
        case .noSpace(let count, let alignment, let largest):
            "no hole holds \(count) bytes aligned to \(alignment); the largest has \(largest)"
        case .overlap(let range, let entry):
            "\(range) overlaps \(entry.range), which is \(entry.kind)"
        case .alreadyUsable(let range, let met):
            "\(range) is usable already in \(met): add only what lies beside that, or withdraw it"
                + " first"
        case .unusable(let range, let entry):
            "\(range) reaches outside the usable ranges, into \(entry.range)"
        case .capacityExhausted(let capacity):
            "all \(capacity) regions of the stated capacity are in use"
        case .entriesExhausted(let capacity):
            "all \(capacity) entries of the tree are in use by regions, reservations and guard"
                + " gaps"
        case .noMetadataMemory(let capacity):
            "the system has no memory for the bookkeeping of \(capacity) regions: grow less, or free"
                + " memory first"
        case .noSuchRegion:
            "no live region has this handle or address: it was freed, or never handed out"
        case .noSuchReservation(let range):
            "there is no reservation of \(range)"
        }
    }
}
