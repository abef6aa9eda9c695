internal import CDatapath

/// How the buffers of a pool lie in a region: head-room, buffer, and what fills up to the
/// alignment.
struct PoolShape: Sendable {
    let bufferByteCount: Int
    let headroom: Int
    let alignment: Int
    /// From one buffer to the next.
    let stride: Int

    /// A region has at most 2^46 bytes.
    private static let largest = 1 << 46

    /// - Throws: `invalidArgument` for what can never work.
    init(bufferSize: Int, _ options: DMABufferPoolOptions) throws(DMAError) {
        let (alignment, headroom) = (options.alignment, options.headroom)
        guard alignment > 0, alignment & (alignment - 1) == 0, alignment <= Self.largest else {
            throw DMAError(
                .invalidArgument,
                "An alignment of \(alignment) bytes is no power of two up to 2^46.",
                remedy: "Ask for 64, a cache line, or another power of two.")
        }
        guard (1...Self.largest).contains(bufferSize), (0...Self.largest).contains(headroom) else {
            throw DMAError(
                .invalidArgument,
                "Buffers of \(bufferSize) bytes with a head-room of \(headroom) fit no region.",
                remedy: "Ask for at least 1 byte, a head-room of 0 or more, and 2^46 at most.")
        }
        guard options.cacheCapacity >= 0, options.lowWaterMark >= 0 else {
            throw DMAError(
                .invalidArgument,
                "A cache of \(options.cacheCapacity) buffers or a low-water mark of "
                    + "\(options.lowWaterMark) is negative.",
                remedy: "Pass 0 for none.")
        }
        bufferByteCount = bufferSize
        self.headroom = headroom
        self.alignment = alignment
        stride = Self.roundUp(headroom + bufferSize, to: alignment)
    }

    /// The bytes of a region, aligned itself, that `count` buffers need; nil for too many.
    func byteCount(of count: Int) -> Int? {
        let (rest, overflow) = stride.multipliedReportingOverflow(by: max(count - 1, 0))
        let first = Self.roundUp(headroom, to: alignment)
        guard count > 0, !overflow, rest <= Self.largest else { return nil }
        return first + rest + bufferByteCount
    }

    /// The buffers that a region has room for.
    ///
    /// - Throws: `invalidArgument` where that is none, or more than 2^31 - 1, or where addresses
    ///   and IOVAs cannot both be aligned.
    func place(
        address: UInt, iova: UInt64, byteCount: Int
    ) throws(DMAError) -> cdp_pool_region {
        let mask = UInt64(alignment - 1)
        guard UInt64(address) & mask == iova & mask else {
            throw DMAError(
                .invalidArgument,
                "The region's address \(hex(UInt64(address))) and its IOVA \(hex(iova)) differ modulo "
                    + "\(alignment): no buffer is aligned in both.",
                remedy: "Allocate the region with that alignment, or ask for a smaller one.")
        }
        // Below 2^47 + 2^46, so that nothing overflows.
        let first = UInt64(Self.roundUp(headroom + Int(iova & mask), to: alignment)) - (iova & mask)
        let room = Int64(byteCount) - Int64(first) - Int64(bufferByteCount)
        let count = room < 0 ? 0 : Int(room) / stride + 1
        guard count > 0, count <= Int(CDP_POOL_MAX_BUFFERS) else {
            throw DMAError(
                .invalidArgument,
                "Buffers of \(bufferByteCount) bytes, every \(stride) from byte \(first), do not fit "
                    + "a region of \(byteCount) bytes, or are more than 2^31 - 1.",
                remedy: "Ask for a smaller buffer or a larger region.")
        }
        return cdp_pool_region(
            address: UInt64(address) + first, iova: iova + first, count: UInt32(count))
    }

    func place(in region: borrowing DMARegion) throws(DMAError) -> cdp_pool_region {
        // Safe: the address is a number here.
        let address = unsafe UInt(bitPattern: region.address)
        return try place(
            address: address, iova: region.iova.rawValue, byteCount: region.byteCount)
    }

    private static func roundUp(_ value: Int, to alignment: Int) -> Int {
        (value + alignment - 1) & ~(alignment - 1)
    }

    private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}
