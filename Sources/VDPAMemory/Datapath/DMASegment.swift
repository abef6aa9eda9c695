public import CDatapath
public import IOVAAllocator

/// A piece of memory that is contiguous for this process and for the device. 24 bytes, trivial.
@frozen
public struct DMASegment: Sendable {
    @usableFromInline var raw: cdp_segment

    @inlinable
    init(_ raw: cdp_segment) { self.raw = raw }

    /// No bytes: for storage that is to be filled.
    @inlinable
    public init() { raw = cdp_segment() }

    /// Where the device finds the first byte.
    @inlinable
    public var iova: IOVA { IOVA(raw.iova) }

    /// In bytes.
    @inlinable
    public var byteCount: Int { Int(raw.byte_count) }

    /// The first byte in this process, valid as long as the region that it lies in; nil in storage
    /// that has not been filled.
    @inlinable
    public var address: UnsafeMutableRawPointer? {
        // Safe: translators fill in addresses of live regions alone.
        unsafe UnsafeMutableRawPointer(bitPattern: UInt(raw.address))
    }
}

/// What `AddressTranslator.segments` has made of a buffer.
@frozen
public enum DMASegmentation: Hashable, Sendable {
    /// All of it is in the first so many elements of the storage.
    case complete(segmentCount: Int)
    /// The storage is full with the first pieces; all of them are so many.
    case storageTooSmall(neededCount: Int)
    /// Nothing is mapped at this offset: what lies before it was split into so many pieces, as many
    /// of them stored as there was room for.
    case unmapped(byteOffset: Int, segmentCount: Int)
}

extension AddressTranslator {
    /// Splits a buffer into pieces that are contiguous for the device: scatter-gather.
    ///
    /// Pieces end where the mapping does not go on in one piece, at extents' boundaries mostly. An
    /// empty buffer has no pieces.
    ///
    /// - Parameter buffer: what is to be split.
    /// - Parameter storage: where pieces go, in the order of their addresses; elements behind the
    ///   last piece are left alone. With no elements, the call only counts.
    /// - Complexity: that of a translation for each piece.
    @inlinable
    public func segments(
        of buffer: UnsafeRawBufferPointer, into storage: inout MutableSpan<DMASegment>
    ) -> DMASegmentation {
        let start = UInt64(UInt(bitPattern: buffer.baseAddress))
        let byteCount = UInt64(buffer.count)
        let capacity = storage.count
        // Safe: the storage's elements are the C structure, whose layout is that of `DMASegment`,
        // and no more than `capacity` of them are written; the buffer is not read.
        let split = unsafe storage.withUnsafeMutableBufferPointer { elements in
            unsafe elements.withMemoryRebound(to: cdp_segment.self) { elements in
                unsafe withUnsafePointer(to: toIOVA) { table in
                    unsafe cdp_translate_segments(
                        table, start, byteCount, elements.baseAddress, UInt64(capacity))
                }
            }
        }
        let count = Int(split.segment_count)
        guard split.translated_bytes == byteCount else {
            return .unmapped(byteOffset: Int(split.translated_bytes), segmentCount: count)
        }
        return count <= capacity
            ? .complete(segmentCount: count) : .storageTooSmall(neededCount: count)
    }
}
