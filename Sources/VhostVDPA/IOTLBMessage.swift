internal import CVhostVDPA
package import IOVAAllocator

/// What can be written to the device file: one mapping, one unmapping, or a batch's two marks.
///
/// Source: struct vhost_msg_v2 in include/uapi/linux/vhost_types.h; drivers/vhost/vdpa.c,
/// `vhost_vdpa_process_iotlb_msg`.
package enum IOTLBMessage: Hashable, Sendable {
    /// Maps `range` to the process's memory at `address`. Fails if any existing mapping touches
    /// the range, an identical one included.
    case update(asid: UInt32, range: IOVARange, address: UInt, access: DMAAccess)
    /// Removes every mapping that touches `range`, each whole. Succeeds if there is none.
    case invalidate(asid: UInt32, range: IOVARange)
    /// From here the device's own table may wait until the end. The flag belongs to the file,
    /// not to the address space.
    case batchBegin(asid: UInt32)
    /// Pushes the table to the device. Success says nothing: the kernel drops the result.
    case batchEnd(asid: UInt32)

    /// sizeof(struct vhost_msg_v2).
    package static let byteCount = 72

    package var asid: UInt32 {
        switch self {
        case .update(let asid, _, _, _), .invalidate(let asid, _), .batchBegin(let asid),
            .batchEnd(let asid):
            asid
        }
    }

    package var operation: VhostOperation {
        switch self {
        case .update: .update
        case .invalidate: .invalidate
        case .batchBegin: .batchBegin
        case .batchEnd: .batchEnd
        }
    }

    /// Lends the 72 bytes of the message, built on the stack, for the time of `body`.
    ///
    /// - Throws: `rangeNotExpressible` for a range of 2^64 bytes: the size field has 64 bits.
    package func withBytes<Result>(
        _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(VhostError) -> Result {
        var message: vhost_msg_v2
        switch self {
        case .update(let asid, let range, let address, let access):
            message = cvhost_message_v2(
                asid, UInt8(CVHOST_IOTLB_UPDATE), range.first.rawValue, try byteCount(of: range),
                UInt64(address), access.rawValue)
        case .invalidate(let asid, let range):
            message = cvhost_message_v2(
                asid, UInt8(CVHOST_IOTLB_INVALIDATE), range.first.rawValue,
                try byteCount(of: range), 0, 0)
        case .batchBegin(let asid):
            message = cvhost_message_v2(asid, UInt8(CVHOST_IOTLB_BATCH_BEGIN), 0, 0, 0, 0)
        case .batchEnd(let asid):
            message = cvhost_message_v2(asid, UInt8(CVHOST_IOTLB_BATCH_END), 0, 0, 0, 0)
        }
        // Safe: the structure has no byte that was not set (cvhost_message_v2 clears it first).
        return unsafe withUnsafeBytes(of: &message) { unsafe body($0) }
    }

    private func byteCount(of range: IOVARange) throws(VhostError) -> UInt64 {
        guard let count = range.byteCount else { throw .notExpressible(range, operation) }
        return count
    }
}

extension IOTLBMessage: CustomStringConvertible {
    package var description: String {
        switch self {
        case .update(let asid, let range, let address, let access):
            "UPDATE of \(range) to 0x\(String(address, radix: 16)), \(access), ASID \(asid)"
        case .invalidate(let asid, let range): "INVALIDATE of \(range), ASID \(asid)"
        case .batchBegin(let asid): "BATCH_BEGIN, ASID \(asid)"
        case .batchEnd(let asid): "BATCH_END, ASID \(asid)"
        }
    }
}
