internal import CVhostVDPA

/// The body of a message, vhost_iotlb_msg.
struct IOTLBMessage {
    var iova: UInt64
    var size: UInt64
    var address: UInt64
    var access: UInt8
    var type: UInt32

    init(_ bytes: [UInt8], at offset: Int) {
        iova = bytes.integer(at: offset)
        size = bytes.integer(at: offset + 8)
        address = bytes.integer(at: offset + 16)
        access = bytes[offset + 24]
        type = UInt32(bytes[offset + 25])
    }

    var kind: IOTLBMessageKind {
        switch type {
        case CVHOST_IOTLB_UPDATE: .update
        case CVHOST_IOTLB_INVALIDATE: .invalidate
        case CVHOST_IOTLB_BATCH_BEGIN: .batchBegin
        case CVHOST_IOTLB_BATCH_END: .batchEnd
        default: .other
        }
    }
}

extension DeviceState {
    /// vhost_chr_write_iter: the first message of `bytes`; what follows it is ignored.
    mutating func write(_ bytes: [UInt8], process: Int) -> Int {
        guard bytes.count >= 40 else { return Int(-EINVAL) }
        let type: UInt32 = bytes.integer(at: 0)
        guard type == CVHOST_MSG_V1 || type == CVHOST_MSG_V2 else { return Int(-EINVAL) }
        // Without the acknowledgement the field is skipped and address space 0 meant, in silence.
        let hasAddressSpace =
            type == CVHOST_MSG_V2 && backendFeatures & 1 << UInt64(CVHOST_BACKEND_F_IOTLB_ASID) != 0
        let addressSpace: UInt32 = hasAddressSpace ? bytes.integer(at: 4) : 0
        let message = IOTLBMessage(bytes, at: 8)
        messageCounts[message.kind, default: 0] += 1
        if message.size == 0, message.kind == .update { return Int(-EINVAL) }
        if message.size == 0, message.kind == .invalidate, !kernel.allowsInvalidateOfSizeZero {
            return Int(-EINVAL)
        }
        if message.kind == .update, let errno = plan.pass(.update) { return Int(-errno) }
        // Whatever the reason, user space sees EFAULT.
        return handle(message, addressSpace: addressSpace, process: process) == 0
            ? 72 : Int(-EFAULT)
    }

    /// vhost_vdpa_process_iotlb_msg: 0 or the kernel's internal errno, negative.
    private mutating func handle(
        _ message: IOTLBMessage, addressSpace: UInt32, process: Int
    ) -> Int32 {
        guard owner == process else { return -EPERM }
        let space = Int(addressSpace)
        guard space < trees.count else { return -EINVAL }
        if trees[space] == nil, message.kind == .update || message.kind == .batchBegin {
            trees[space] = TranslationTable()
        }
        guard trees[space] != nil, !inBatch || batchAddressSpace == addressSpace else {
            return -EINVAL
        }
        switch message.kind {
        case .update:
            return update(message, in: space)
        case .invalidate:
            unmap(message.iova, size: message.size, in: space)
            if !inBatch { freeIfEmpty(space) }
        case .batchBegin:
            batchAddressSpace = addressSpace
            inBatch = true
        case .batchEnd:
            endBatch(space)
        case .other:
            return -EINVAL
        }
        return 0
    }

    private mutating func endBatch(_ space: Int) {
        if inBatch, configuration.kind == .setMap {
            // The kernel ignores set_map's answer; the parent has cleared its table by then.
            if plan.pass(.batchEndSetMap) != nil {
                deviceTables[space] = TranslationTable()
            } else {
                pushTable(of: space)
            }
        }
        inBatch = false
        freeIfEmpty(space)
    }

    private mutating func freeIfEmpty(_ space: Int) {
        guard kernel.freesEmptyAddressSpaces, trees[space]?.entries.isEmpty == true else { return }
        trees[space] = nil
    }
}

extension [UInt8] {
    /// A little-endian integer: the byte order of every machine that is supported.
    func integer<Value: FixedWidthInteger>(at offset: Int) -> Value {
        var value = Value.zero
        for index in 0..<(Value.bitWidth / 8) {
            value |= Value(truncatingIfNeeded: self[offset + index]) << (8 * index)
        }
        return value
    }

    init<Value: FixedWidthInteger>(littleEndian value: Value) {
        self = (0..<(Value.bitWidth / 8)).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}
