internal import CVhostVDPA
internal import IOVAAllocator

// UPDATE and INVALIDATE: drivers/vhost/vdpa.c, vhost_vdpa_process_iotlb_update and below. Functions
// answer 0 or the kernel's internal errno, negative, which no caller of write(2) ever sees.

private let pageSize: UInt64 = 4096

extension DeviceState {
    /// vhost_vdpa_process_iotlb_update.
    mutating func update(_ message: IOTLBMessage, in space: Int) -> Int32 {
        let range = configuration.iovaRange
        guard message.iova >= range.first.rawValue, message.size > 0,
            message.iova <= UInt64.max - message.size + 1,
            message.iova + (message.size - 1) <= range.last.rawValue
        else { return -EINVAL }
        let last = message.iova + (message.size - 1)
        guard trees[space]?.indexOfEntry(touching: message.iova, through: last) == nil else {
            return -EEXIST
        }
        return configuration.usesVirtualAddresses
            ? mapByVirtualAddress(message, in: space) : mapPinned(message, in: space)
    }

    /// vhost_vdpa_unmap: whole entries, then (outside a batch) the parent's new table.
    mutating func unmap(_ iova: UInt64, size: UInt64, in space: Int) {
        let removed = trees[space]?.remove(touching: iova, through: iova &+ size &- 1) ?? []
        for entry in removed {
            if !configuration.usesVirtualAddresses {
                pinnedPageCount -= entry.range.pageCount
            }
            guard configuration.kind != .setMap else { continue }
            _ = deviceTables[space].remove(
                touching: entry.range.first.rawValue, through: entry.range.last.rawValue)
        }
        guard configuration.kind == .setMap, !inBatch else { return }
        pushTable(of: space)
    }

    /// The parent's set_map: it takes the kernel's whole tree.
    mutating func pushTable(of space: Int) {
        deviceTables[space] = trees[space] ?? TranslationTable()
    }

    /// vhost_vdpa_pa_map. Both addresses are rounded down to a page, and only the IOVA's offset in
    /// its page counts for the size.
    private mutating func mapPinned(_ message: IOTLBMessage, in space: Int) -> Int32 {
        let (bytes, overflow) = message.size.addingReportingOverflow(message.iova % pageSize)
        let pages = (bytes &+ pageSize &- 1) / pageSize
        guard !overflow, pages > 0 else { return -EINVAL }
        if let limit = configuration.lockedMemoryLimit {
            let others = configuration.externallyPinnedByteCount / pageSize
            guard pages + pinnedPageCount + others <= limit / pageSize else { return -ENOMEM }
        }
        if let errno = plan.pass(.pin) { return -errno }
        let (byteCount, tooLarge) = pages.multipliedReportingOverflow(by: pageSize)
        var address = UInt(message.address & ~(pageSize - 1))
        guard !tooLarge,
            canPin(address, count: UInt(byteCount), writing: message.access & 2 != 0)
        else { return -EFAULT }

        var iova = message.iova & ~(pageSize - 1)
        var remaining = byteCount
        var runNumber = 0
        while remaining > 0 {
            let run = min(
                remaining, configuration.contiguity.runLength(at: address, number: runNumber))
            let result = add(iova, run, address, message.access, in: space)
            guard result == 0 else {
                unmap(message.iova, size: message.size, in: space)
                return result
            }
            iova &+= run
            address += UInt(run)
            remaining -= run
            runNumber += 1
        }
        return 0
    }

    private func canPin(_ address: UInt, count: UInt, writing: Bool) -> Bool {
        if let answer = ProcessMemory.populate(address, count: count, writing: writing) {
            return answer
        }
        let areas = ProcessMap.read(from: address, to: address &+ count)
        return areas.allows(address, count: count, writing: writing)
    }

    /// vhost_vdpa_va_map: one entry per VMA, exact bytes. Areas that are not shared and backed by a
    /// file are skipped without an error; so is a hole, up to the end of the area after it.
    private mutating func mapByVirtualAddress(_ message: IOTLBMessage, in space: Int) -> Int32 {
        let end = UInt(message.address).addingReportingOverflow(UInt(message.size))
        let areas = ProcessMap.read(
            from: UInt(message.address), to: end.overflow ? .max : end.partialValue)
        var iova = message.iova
        var address = UInt(message.address)
        var remaining = message.size
        var result: Int32 = 0
        while remaining > 0, result == 0 {
            guard let area = areas.area(endingAfter: address) else {
                result = -EINVAL
                break
            }
            let piece = min(remaining, UInt64(area.end - address))
            if area.isSharedFile {
                result = add(iova, piece, address, message.access, in: space)
                if result != 0 { break }
            }
            iova &+= piece
            address += UInt(piece)
            remaining -= piece
        }
        // Where the first piece fails, the size is 0: at IOVA 0 that means everything, a trap that
        // the kernel has, too.
        if result != 0 { unmap(message.iova, size: iova &- message.iova, in: space) }
        return result
    }

    /// vhost_vdpa_map: one entry into the kernel's tree and to the parent, or neither.
    private mutating func add(
        _ iova: UInt64, _ byteCount: UInt64, _ address: UInt, _ access: UInt8, in space: Int
    ) -> Int32 {
        guard let range = IOVARange(first: IOVA(iova), byteCount: byteCount) else { return -EFAULT }
        guard (trees[space]?.entries.count ?? 0) < configuration.entryLimit else { return -ENOSPC }
        let entry = TranslationEntry(range: range, address: address, access: access)
        trees[space]?.append(entry)
        let result = tellParent(of: entry, in: space)
        guard result == 0 else {
            _ = trees[space]?.remove(touching: range.first.rawValue, through: range.last.rawValue)
            return result
        }
        if !configuration.usesVirtualAddresses { pinnedPageCount += range.pageCount }
        return 0
    }

    private mutating func tellParent(of entry: TranslationEntry, in space: Int) -> Int32 {
        if configuration.kind == .setMap, inBatch { return 0 }
        if let errno = plan.pass(.parentMap) {
            // vdpa_sim and VDUSE clear their whole table where set_map fails.
            if configuration.kind == .setMap { deviceTables[space] = TranslationTable() }
            return -errno
        }
        switch configuration.kind {
        case .setMap: pushTable(of: space)
        case .dmaMap: deviceTables[space].append(entry)
        case .platformIOMMU:
            // perm_to_iommu_flags warns, and iommu_map refuses a mapping without read or write.
            guard (1...3).contains(entry.access) else { return -EINVAL }
            deviceTables[space].append(entry)
        }
        return 0
    }
}

extension IOVARange {
    /// PFN_DOWN of the size. Entries of pinned memory are whole pages and less than 2^64 bytes.
    fileprivate var pageCount: UInt64 { (byteCount ?? 0) / pageSize }
}

extension PhysicalContiguity {
    /// The bytes from `address` to the end of its run; `number` counts the runs of one UPDATE.
    fileprivate func runLength(at address: UInt, number: Int) -> UInt64 {
        switch self {
        case .contiguous: .max
        case .pages(let size): UInt64(UInt(size) - address % UInt(size))
        case .runs(let lengths): UInt64(lengths[number % lengths.count])
        }
    }
}
