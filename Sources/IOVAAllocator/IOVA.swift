/// An address as the device uses it (I/O virtual address).
///
/// A type of its own so that a pointer or a byte count cannot be passed for it. It has no `+`:
/// arithmetic goes through verbs that answer nil instead of wrapping.
@frozen
public struct IOVA: Hashable, Sendable {
    public var rawValue: UInt64

    @inlinable
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// The address `byteCount` bytes further on, or nil past 2^64-1.
    @inlinable
    public func advanced(by byteCount: UInt64) -> IOVA? {
        let (sum, overflow) = rawValue.addingReportingOverflow(byteCount)
        return overflow ? nil : IOVA(sum)
    }

    /// The bytes from `origin` up to here, or nil where `origin` lies above.
    @inlinable
    public func offset(from origin: IOVA) -> UInt64? {
        rawValue >= origin.rawValue ? rawValue - origin.rawValue : nil
    }

    /// Whether the address is a multiple of `alignment` (a power of two).
    @inlinable
    public func isAligned(to alignment: UInt64) -> Bool {
        precondition(alignment.nonzeroBitCount == 1, "an alignment is a power of two")
        return rawValue & (alignment - 1) == 0
    }
}

extension IOVA: Comparable {
    @inlinable
    public static func < (left: IOVA, right: IOVA) -> Bool { left.rawValue < right.rawValue }
}

extension IOVA: CustomStringConvertible {
    public var description: String { "0x" + String(rawValue, radix: 16) }
}
