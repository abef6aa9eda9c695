internal import CVirtioDriver
package import VDPAMemory

/// Memory that the device reaches, wherever it comes from: a region, a pool's buffer, a heap's
/// block. Whoever makes one keeps the memory mapped for as long as it is used.
@safe
package struct DriverMemory: Sendable {
    private let addressBits: UInt
    /// Where the device finds the first byte.
    package let iova: IOVA
    package let byteCount: Int

    package init(address: UnsafeMutableRawPointer, iova: IOVA, byteCount: Int) {
        // A number here: nothing is touched.
        addressBits = UInt(bitPattern: address)
        self.iova = iova
        self.byteCount = byteCount
    }

    package init(_ region: borrowing DMARegion) {
        // Safe: only described; the region's owner keeps it.
        unsafe self.init(
            address: region.address, iova: region.iova, byteCount: region.byteCount)
    }

    /// A pool's buffer.
    package init(_ buffer: DMABuffer, byteCount: Int) {
        // Safe: only described; the buffer is the caller's until it is given back.
        unsafe self.init(address: buffer.address, iova: buffer.iova, byteCount: byteCount)
    }

    /// A heap's block.
    package init(_ block: DMABlock) {
        // Safe: only described; the block is the caller's until it is given back.
        unsafe self.init(address: block.address, iova: block.iova, byteCount: block.byteCount)
    }

    /// The first byte in this process.
    package var address: UnsafeMutableRawPointer {
        // Safe: made from an address, which is not 0.
        unsafe UnsafeMutableRawPointer(bitPattern: addressBits).unsafelyUnwrapped
    }

    package var bytes: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: address, count: byteCount)
    }

    /// - Precondition: the part lies in the block.
    package func part(from offset: Int, byteCount: Int) -> DriverMemory {
        precondition(
            offset >= 0 && byteCount >= 0 && offset <= self.byteCount
                && byteCount <= self.byteCount - offset, "a part lies in its block")
        // Safe: inside the block, as just checked.
        return unsafe DriverMemory(
            address: address + offset, iova: IOVA(iova.rawValue + UInt64(offset)),
            byteCount: byteCount)
    }

    /// What the device is told about it.
    package var slice: DMASlice { DMASlice(iova: iova, byteCount: byteCount) }
}

/// A range of device addresses: what a request carries its data in.
package struct DMASlice: Hashable, Sendable {
    package let iova: IOVA
    package let byteCount: Int

    package init(iova: IOVA, byteCount: Int) {
        self.iova = iova
        self.byteCount = byteCount
    }

    /// Whether an address is in both.
    package func overlaps(_ range: IOVARange) -> Bool {
        iova.rawValue <= range.last.rawValue
            && range.first.rawValue <= iova.rawValue + UInt64(max(byteCount, 1) - 1)
    }
}

/// One link of a descriptor chain.
package struct Segment: Sendable {
    package let slice: DMASlice
    /// Whether the device writes it; else it reads it.
    package let isWritten: Bool

    package init(_ slice: DMASlice, isWritten: Bool) {
        self.slice = slice
        self.isWritten = isWritten
    }
}
