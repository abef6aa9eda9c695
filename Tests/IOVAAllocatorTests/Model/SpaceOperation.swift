import IOVAAllocator

/// One step of a model run.
enum SpaceOperation {
    case allocate(
        byteCount: UInt64, alignment: UInt64 = 1, IOVAPlacement = .anywhere(.lowest),
        congruentTo: UInt64 = 0, gaps: IOVAGuardGaps = IOVAGuardGaps())
    case free(IOVAHandle)
    case freeAt(IOVA)
    case quarantine(IOVAHandle)
    case release(IOVAHandle)
    case reserve(IOVARange, ReservationPolicy)
    case cancel(IOVARange, ReservationPolicy)
    case addUsable(IOVARange)
    case withdrawUsable(IOVARange)
    case flush
    case grow(regionCapacity: Int, reservationCapacity: Int? = nil)
}

/// Where the space and its model part.
struct Mismatch: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }

}

/// Fails a model run; apart from `#expect`, which costs too much to be asked millions of times.
func require(_ condition: Bool, _ what: @autoclosure () -> String) throws(Mismatch) {
    if !condition { throw Mismatch(what()) }
}

extension IOVARange {
    init(_ range: ClosedRange<UInt64>) {
        self.init(first: range.lowerBound, last: range.upperBound)
    }

    var raw: ClosedRange<UInt64> { first.rawValue...last.rawValue }
}
