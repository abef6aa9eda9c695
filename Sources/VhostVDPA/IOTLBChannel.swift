internal import CVhostVDPA
package import IOVAAllocator

/// The write(2) side of the device file: sends IOTLB messages, and refuses, before the call, what
/// the kernel would take and do something else with.
///
/// Any thread may call; the kernel handles messages one at a time. No operation allocates unless
/// it fails. The channel does not own the file: once the `VhostDevice` is gone, every message is
/// answered with `closed`.
///
/// Source: drivers/vhost/vhost.c, `vhost_chr_write_iter`; vdpa.c, `vhost_vdpa_process_iotlb_msg`.
package struct IOTLBChannel: ~Copyable, Sendable {
    private let file: any DeviceFile
    /// What SET_BACKEND_FEATURES was last given. After another one a new channel is needed.
    package let acknowledged: BackendFeatures
    /// The kernel's page size, in bytes.
    package let pageSize: UInt64
    private let counters = IOTLBCounters()

    /// - Parameter pageSize: the kernel's page size, a power of two.
    package init(
        _ file: any DeviceFile, acknowledged: BackendFeatures, pageSize: UInt64 = 4096
    ) {
        precondition(pageSize.nonzeroBitCount == 1, "a page size is a power of two")
        self.file = file
        self.acknowledged = acknowledged
        self.pageSize = pageSize
    }

    package var counts: IOTLBMessageCounts { counters.counts }

    // MARK: Mapping

    /// UPDATE: lets the device reach `range.byteCount` bytes of this process's memory from
    /// `address` on, at `range`. Owner only. All or nothing; takes one entry of the kernel's
    /// table per physically contiguous run of pages, per mapped file with use_va devices.
    ///
    /// - Throws: before the call `notCongruent`, `notPageAligned`, `rangeWraps`,
    ///   `rangeNotExpressible`, `asidNotNegotiated`; from the kernel `messageRefused` (EFAULT).
    package func dmaMap(
        _ range: IOVARange, at address: UInt, access: DMAAccess, asid: UInt32 = 0
    ) throws(VhostError) {
        guard let byteCount = range.byteCount else {
            throw .notExpressible(range, .update)
        }
        // Not congruent: the kernel rounds both down and takes the offset of the IOVA for both,
        // so the device would see the data shifted.
        guard range.first.rawValue % pageSize == UInt64(address) % pageSize else {
            throw VhostError(
                .notCongruent, .update,
                explanation: "IOVA \(range.first) and address 0x\(String(address, radix: 16)) "
                    + "differ in their place in a page of \(pageSize) bytes.",
                remedy: "Map whole pages: align both.")
        }
        try requireWholePages(range, .update)
        let (_, wraps) = UInt64(address).addingReportingOverflow(byteCount - 1)
        guard !wraps else { throw wrapped(.update, UInt64(address), byteCount) }
        try send(.update(asid: asid, range: range, address: address, access: access))
    }

    /// The same by first address and size.
    ///
    /// - Throws: also `emptyRange` for 0 bytes, `rangeWraps` past 2^64-1.
    package func dmaMap(
        iova: IOVA, byteCount: UInt64, at address: UInt, access: DMAAccess, asid: UInt32 = 0
    ) throws(VhostError) {
        try dmaMap(
            try range(iova, byteCount, .update), at: address, access: access, asid: asid)
    }

    /// INVALIDATE: removes every mapping that touches `range`, each one whole: a part of a
    /// mapping takes its neighbours with it. No error where nothing is mapped. Owner only. The
    /// pages are unpinned at once, inside a batch too, although the device may then use them
    /// until BATCH_END.
    ///
    /// - Throws: before the call as for `dmaMap`; from the kernel `messageRefused` (EFAULT), among
    ///   others in an address space that was never mapped to.
    package func dmaUnmap(_ range: IOVARange, asid: UInt32 = 0) throws(VhostError) {
        try requireWholePages(range, .invalidate)
        try send(.invalidate(asid: asid, range: range))
    }

    /// The same by first address and size. A size of 0 is refused: kernels differ, and with an
    /// address of 0 some remove everything.
    package func dmaUnmap(
        iova: IOVA, byteCount: UInt64, asid: UInt32 = 0
    ) throws(VhostError) {
        try dmaUnmap(try range(iova, byteCount, .invalidate), asid: asid)
    }

    /// Removes every mapping of an address space, as two INVALIDATEs of 2^63 bytes: one message
    /// cannot say 2^64, and (0, 0) means that on some kernels only.
    ///
    /// A fresh address space, and on Linux 5.19 to 6.3 one whose last mapping went, answers
    /// EFAULT to INVALIDATE. A batch around the two avoids both: BATCH_BEGIN creates the address
    /// space, and none is dropped before BATCH_END. So one is opened where IOTLB_BATCH was
    /// acknowledged, unless the caller is inside a batch of this address space already. Without
    /// IOTLB_BATCH the caller meets those answers as `messageRefused`.
    ///
    /// Before 6.2 (and stable kernels with its fix) the platform-IOMMU path can crash on an
    /// INVALIDATE much larger than what is mapped; there unmap extent by extent.
    package func unmapEverything(
        asid: UInt32 = 0, insideBatch: Bool = false
    ) throws(VhostError) {
        let needsBatch = !insideBatch && acknowledged.contains(.batch)
        if needsBatch { try batchBegin(asid: asid) }
        do throws(VhostError) {
            try send(.invalidate(asid: asid, range: IOVARange(first: 0, last: UInt64.max >> 1)))
            try send(.invalidate(asid: asid, range: IOVARange(first: 1 << 63, last: .max)))
        } catch {
            // The batch must not stay open; the first error is the one that tells.
            if needsBatch { try? batchEnd(asid: asid) }
            throw error
        }
        if needsBatch { try batchEnd(asid: asid) }
    }

    // MARK: Batches (5.9)

    /// BATCH_BEGIN: set_map devices get their table once, at the end, instead of at every
    /// message. Twice for the same ASID is fine; until the end a message for another fails.
    /// A batch survives a device reset.
    package func batchBegin(asid: UInt32 = 0) throws(VhostError) {
        try send(.batchBegin(asid: asid))
    }

    /// BATCH_END: pushes the table. The kernel drops the device's own answer, so success here
    /// does not prove that the device took it.
    package func batchEnd(asid: UInt32 = 0) throws(VhostError) {
        try send(.batchEnd(asid: asid))
    }

    // MARK: One message

    /// Sends one message. Only the ASID is checked here.
    ///
    /// After EINTR the same message goes again, at most `Interruption.limit` times. The kernel
    /// handles a message before it returns and cannot be interrupted half-way, so an interrupted
    /// one has not happened.
    package func send(_ message: IOTLBMessage) throws(VhostError) {
        guard message.asid == 0 || acknowledged.contains(.addressSpaces) else {
            throw VhostError(
                .asidNotNegotiated, message.operation,
                explanation: "ASID \(message.asid) without IOTLB_ASID acknowledged: the kernel "
                    + "would use ASID 0 and say nothing.",
                remedy: "Acknowledge IOTLB_ASID with SET_BACKEND_FEATURES first.")
        }
        // Safe: the bytes live until the closure returns, and write only reads them.
        let answer = unsafe try message.withBytes { bytes in
            Interruption.retry(Int(-EINTR)) { unsafe file.write(bytes) }
        }
        guard answer != IOTLBMessage.byteCount else { return counters.countTaken(message) }
        counters.countRefused()
        if let errno = Errno(answer: answer) { throw .write(message, errno) }
        guard (0..<IOTLBMessage.byteCount).contains(answer) else {
            throw .impossible(message.operation, "write answered \(answer) for 72 bytes.")
        }
        throw VhostError(
            .shortWrite, message.operation,
            explanation: "write answered \(answer) bytes for a message of "
                + "\(IOTLBMessage.byteCount), so whether it was handled is unknown.",
            remedy: "Unmap the range and map it again.")
    }
}
