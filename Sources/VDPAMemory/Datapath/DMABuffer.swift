public import IOVAAllocator

/// A buffer from a pool: where this process and where the device finds it. Sixteen bytes, trivial:
/// an array of them is an array of `struct cdp_buffer` in C.
@frozen
public struct DMABuffer: Hashable, Sendable {
    /// The address in this process, as a number; 0 in `none` alone.
    @usableFromInline let addressBits: UInt
    /// Where the device finds the first byte.
    public let iova: IOVA

    @inlinable
    init(addressBits: UInt, iova: IOVA) {
        self.addressBits = addressBits
        self.iova = iova
    }

    /// A buffer that was taken before, put together again from what a descriptor or a table kept
    /// of it.
    @inlinable
    public init(address: UnsafeMutableRawPointer, iova: IOVA) {
        self.init(addressBits: UInt(bitPattern: address), iova: iova)
    }

    /// No buffer: what storage holds before a bulk `take` has filled it. It has no address, and no
    /// pool takes it back.
    @inlinable
    public static var none: DMABuffer { DMABuffer(addressBits: 0, iova: IOVA(0)) }

    /// The first byte in this process, valid until the buffer is given back.
    ///
    /// - Precondition: this is not `none`.
    @inlinable
    public var address: UnsafeMutableRawPointer {
        // Safe: a pool makes buffers inside its own regions, which it keeps mapped.
        unsafe UnsafeMutableRawPointer(bitPattern: addressBits)!
    }
}
