internal import HostMemory

/// Shows that a device wrote to memory which had been freed: what waits in quarantine is filled
/// with a pattern, and looked at once no device can reach it any more.
enum DeadMemoryPattern {
    /// Unlike zeros, text and addresses.
    static let word: UInt64 = 0xdbdb_dbdb_dbdb_dbdb

    static func fill(_ extent: Extent) {
        guard let words = unsafe words(of: extent) else { return }
        // Safe: memory of the library that no region lives in.
        unsafe words.update(repeating: word)
    }

    /// The first address whose content has changed, or nil.
    static func firstWrite(in extent: Extent) -> IOVA? {
        guard let words = unsafe words(of: extent) else { return nil }
        // Safe: as above. A device may write meanwhile only before its unmap is confirmed.
        for index in 0..<Int(extent.byteCount / 8) where unsafe words[index] != word {
            return IOVA(extent.range.first.rawValue + UInt64(index) * 8)
        }
        return nil
    }

    /// The extent's bytes; nil for the caller's memory, which is not the library's to change.
    private static func words(of extent: Extent) -> UnsafeMutableBufferPointer<UInt64>? {
        guard extent.memory != nil else { return nil }
        // Safe: the extent keeps the memory, which is aligned to pages; an address is not 0.
        return unsafe UnsafeMutableBufferPointer(
            start: UnsafeMutablePointer(bitPattern: extent.address),
            count: Int(extent.byteCount / 8))
    }
}
