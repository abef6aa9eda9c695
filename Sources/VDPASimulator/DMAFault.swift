public import IOVAAllocator

/// An access of the device that its translation did not allow. It changed nothing.
public struct DMAFault: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case read, write
    }
    public enum Reason: Hashable, Sendable {
        /// No entry of the device's table holds this address.
        case unmapped
        /// The entry does not permit this access.
        case notPermitted
        /// The entry is there and the process has unmapped the memory behind it. A real device that
        /// pins would go on using the old pages.
        case memoryGone
        case deviceGone
    }
    /// The first address that could not be reached.
    public var iova: IOVA
    /// The size of the whole access.
    public var byteCount: Int
    public var kind: Kind
    public var reason: Reason
    public var addressSpace: UInt32

    public init(
        iova: IOVA, byteCount: Int, kind: Kind, reason: Reason, addressSpace: UInt32
    ) {
        self.iova = iova
        self.byteCount = byteCount
        self.kind = kind
        self.reason = reason
        self.addressSpace = addressSpace
    }
}
