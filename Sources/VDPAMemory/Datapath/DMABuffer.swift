/// A buffer from a pool: where this process and where the device finds it. Sixteen bytes, trivial.
@frozen
public struct DMABuffer: Sendable {
    /// The address in this process, as a number that is never 0.
    @usableFromInline let addressBits: UInt
    /// Where the device finds the first byte.
    public let iova: IOVA

    @inlinable
    init(addressBits: UInt, iova: IOVA) {
        self.addressBits = addressBits
        self.iova = iova
    }

    /// The first byte in this process, valid until the buffer is given back.
    @inlinable
    public var address: UnsafeMutableRawPointer {
        // Safe: a pool makes buffers inside its own region, which it keeps mapped.
        unsafe UnsafeMutableRawPointer(bitPattern: addressBits).unsafelyUnwrapped
    }
}
