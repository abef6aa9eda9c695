public import CDatapath

/// A block from a heap: where this process and where the device finds it. 24 bytes, trivial.
@frozen
public struct DMABlock: Sendable {
    /// The address in this process, as a number that is never 0.
    @usableFromInline let addressBits: UInt
    /// Where the device finds the first byte.
    public let iova: IOVA
    /// The size, and what proves that the block is of its heap and still out.
    @usableFromInline let token: UInt64

    /// nil for no block.
    @inlinable
    init?(_ block: cdp_block) {
        guard block.address != 0 else { return nil }
        addressBits = UInt(block.address)
        iova = IOVA(block.iova)
        token = block.token
    }

    @inlinable
    var raw: cdp_block {
        cdp_block(address: UInt64(addressBits), iova: iova.rawValue, token: token)
    }

    /// The first byte in this process, valid until the block is given back.
    @inlinable
    public var address: UnsafeMutableRawPointer {
        // Safe: a heap makes blocks inside its own extents, which it keeps mapped.
        unsafe UnsafeMutableRawPointer(bitPattern: addressBits).unsafelyUnwrapped
    }

    /// The bytes that the block has: what was asked for, rounded up to the heap's granule.
    @inlinable
    public var byteCount: Int { Int(cdp_block_byte_count(raw)) }

    /// The block's bytes, valid until it is given back.
    @inlinable
    public var bytes: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: address, count: byteCount)
    }

    @inlinable
    func fillWithZeros() {
        // Safe: the block's own bytes, which nobody else has a name for yet.
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }
}
