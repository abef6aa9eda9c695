/// A closed range of device addresses, `[first, last]`.
///
/// Closed because the last address of a device's space may be 2^64-1. A range is never empty. The
/// range `[0, 2^64-1]` has 2^64 bytes, which no `UInt64` holds: its `byteCount` is nil.
@frozen
public struct IOVARange: Hashable, Sendable {
    public let first: IOVA
    public let last: IOVA

    /// - Precondition: `first <= last`, as with Swift's own `ClosedRange`.
    @inlinable
    public init(first: IOVA, last: IOVA) {
        precondition(first <= last, "a range ends no earlier than it starts")
        self.first = first
        self.last = last
    }

    /// A range by its first and last address as integers.
    /// - Precondition: `first <= last`.
    @inlinable
    public init(first: UInt64, last: UInt64) { self.init(first: IOVA(first), last: IOVA(last)) }

    /// A range by its size; nil where `byteCount` is 0 or the range would end past 2^64-1.
    @inlinable
    public init?(first: IOVA, byteCount: UInt64) {
        guard byteCount > 0, let last = first.advanced(by: byteCount - 1) else { return nil }
        self.init(first: first, last: last)
    }

    /// All addresses there are.
    @inlinable
    public static var all: IOVARange { IOVARange(first: 0, last: .max) }

    /// The size in bytes; nil for `[0, 2^64-1]`.
    @inlinable
    public var byteCount: UInt64? {
        let (count, overflow) = (last.rawValue - first.rawValue).addingReportingOverflow(1)
        return overflow ? nil : count
    }

    @inlinable
    public func contains(_ address: IOVA) -> Bool { first <= address && address <= last }

    @inlinable
    public func contains(_ other: IOVARange) -> Bool { first <= other.first && other.last <= last }

    @inlinable
    public func overlaps(_ other: IOVARange) -> Bool { first <= other.last && other.first <= last }

    /// What both ranges hold, or nil where they do not meet.
    @inlinable
    public func intersection(_ other: IOVARange) -> IOVARange? {
        overlaps(other)
            ? IOVARange(first: max(first, other.first), last: min(last, other.last)) : nil
    }

    /// Whether `next` starts at the address after this range's last.
    @inlinable
    public func isFollowed(by next: IOVARange) -> Bool {
        last.advanced(by: 1) == next.first
    }
}

extension IOVARange: CustomStringConvertible {
    public var description: String { "[\(first), \(last)]" }
}
