internal import IOVAAllocator

extension IOTLBChannel {
    /// The kernel maps whole pages around what it is asked for, so less than a page would let the
    /// device reach its neighbours.
    func requireWholePages(_ range: IOVARange, _ operation: VhostOperation) throws(VhostError) {
        // The last address is checked instead of the size: 2^64 is for the encoder to refuse.
        let pageMask = pageSize - 1
        guard range.first.rawValue & pageMask == 0, range.last.rawValue & pageMask == pageMask
        else {
            throw VhostError(
                .notPageAligned, operation,
                explanation: "the range \(range) does not consist of whole pages of \(pageSize) "
                    + "bytes; the kernel would round it outward in silence.",
                remedy: "Align the first address and the size to the page size.")
        }
    }

    func range(
        _ first: IOVA, _ byteCount: UInt64, _ operation: VhostOperation
    ) throws(VhostError) -> IOVARange {
        guard byteCount > 0 else {
            throw VhostError(
                .emptyRange, operation,
                explanation: "a range of 0 bytes at \(first): the kernel's answer depends on its "
                    + "version, and with address 0 some remove everything.",
                remedy: "Pass the size in bytes; to unmap everything there is unmapEverything.")
        }
        guard let range = IOVARange(first: first, byteCount: byteCount) else {
            throw wrapped(operation, first.rawValue, byteCount)
        }
        return range
    }

    func wrapped(
        _ operation: VhostOperation, _ first: UInt64, _ byteCount: UInt64
    ) -> VhostError {
        VhostError(
            .rangeWraps, operation,
            explanation: "\(byteCount) bytes from 0x\(String(first, radix: 16)) end past 2^64-1.",
            remedy: "Pass a range that ends at 2^64-1 or below.")
    }
}
