internal import HostMemory

/// How the devices of a domain take memory.
struct MemoryNeeds: Hashable, Sendable {
    /// Some device's pages are pinned.
    var pins: Bool
    /// Some device maps by virtual address.
    var mapsByAddress: Bool
}

/// What the caller's memory must be before a device is told about it: the kernel would take much of
/// what is refused here, and map something else, or nothing.
enum ExternalMemoryCheck {
    /// The caller's memory as a pair of numbers: nothing here follows the address.
    struct Range {
        var address: UInt
        var byteCount: Int

        init(_ memory: UnsafeMutableRawBufferPointer) {
            address = UInt(bitPattern: memory.baseAddress)
            byteCount = memory.count
        }
    }

    /// Looks at the memory of every registration in a batch, and fills in how many areas of the
    /// process each lies in, where that matters.
    ///
    /// For devices that pin, the pages are faulted in (one madvise(2) each), which is what the
    /// pin would do and find out. For those that map by virtual address the process's maps tell
    /// what kind of memory it is: one reading for the whole batch.
    ///
    /// - Throws: `unsuitableMemory`, with the operation's index.
    static func inspect(
        _ operations: inout [BatchOperation], _ needs: MemoryNeeds
    ) throws(DMAError) {
        guard needs.mapsByAddress || needs.pins && !canPinAll(operations) else { return }
        var first = UInt.max
        var last: UInt = 0
        for case .register(_, let memory, _, _, _) in operations {
            first = min(first, memory.address)
            last = max(last, memory.address + UInt(memory.byteCount - 1))
        }
        guard first <= last else { return }
        let snapshot: [MemoryArea]
        do throws(HostMemoryError) {
            snapshot = try ExternalMemory.snapshot(first...last)
        } catch {
            throw DMAError(error)
        }
        var number = 0
        for index in operations.indices {
            defer { number += operations[index].count }
            guard
                case .register(let id, var memory, let placement, let access, let isolation) =
                    operations[index]
            else { continue }
            do throws(DMAError) {
                memory.areaCount = try areaCount(memory, snapshot, access, needs)
            } catch {
                throw error.inOperation(number)
            }
            operations[index] = .register(id, memory, placement, access, isolation)
        }
    }

    /// Whether all of the memory can be pinned. Where not, the maps will tell why.
    private static func canPinAll(_ operations: [BatchOperation]) -> Bool {
        for case .register(_, let memory, _, let access, _) in operations
        where ExternalMemory.refusalToFaultIn(memory.addresses, writing: access != .readOnly) != nil
        {
            return false
        }
        return true
    }

    private static func areaCount(
        _ memory: ExternalRange, _ snapshot: [MemoryArea], _ access: DMAAccess,
        _ needs: MemoryNeeds
    ) throws(DMAError) -> Int {
        let areas: ArraySlice<MemoryArea>
        do throws(HostMemoryError) {
            areas = try ExternalMemory.areas(
                in: memory.addresses, of: snapshot)
        } catch {
            throw DMAError(error)
        }
        for area in areas {
            if !area.isReadable {
                throw DMAError(
                    .unsuitableMemory,
                    "The memory at \(memory.text) allows no access in part, and cannot be pinned.",
                    remedy: "Map it readable first.")
            }
            if access != .readOnly, !area.isWritable {
                throw DMAError(
                    .unsuitableMemory,
                    "The memory at \(memory.text) is read-only in part, and the device is to "
                        + "write it.",
                    remedy: "Register it as `.readOnly`, or map it writable.")
            }
            if needs.mapsByAddress, !(area.isShared && area.isFileBacked) {
                throw DMAError(
                    .unsuitableMemory,
                    "The memory at \(memory.text) is private or anonymous in part. This device "
                        + "maps by virtual address, and the kernel would map nothing there in "
                        + "silence.",
                    remedy: "Use memory from memfd_create or a shared file, or `allocate`.")
            }
        }
        if needs.pins,
            let refusal = ExternalMemory.refusalToFaultIn(
                memory.addresses, writing: access != .readOnly)
        {
            throw DMAError(
                .unsuitableMemory,
                "The memory at \(memory.text) cannot be faulted in, so it cannot be pinned.",
                remedy: "Use ordinary memory with pages behind it: no device memory, no file that "
                    + "ends before the mapping does, no empty hugepage pool.",
                errno: refusal.errorNumber)
        }
        return areas.count
    }
}

extension ExternalRange {
    fileprivate var addresses: ClosedRange<UInt> { address...(address + UInt(byteCount - 1)) }
    fileprivate var text: String { "0x\(String(address, radix: 16)) + \(byteCount) bytes" }
}

extension ExternalMemoryCheck.Range {
    /// Whole pages, and an end that does not wrap.
    func requireWholePages() throws(DMAError) {
        let isWrapped = address.addingReportingOverflow(UInt(bitPattern: byteCount)).overflow
        guard byteCount > 0, !isWrapped, address % 4096 == 0, byteCount % 4096 == 0 else {
            throw DMAError(
                .unsuitableMemory,
                "The memory at 0x\(String(address, radix: 16)) + \(byteCount) bytes is not made "
                    + "of whole 4 KiB pages: the device would reach its neighbours' bytes.",
                remedy: "Align its start and size to 4096 bytes.")
        }
    }
}
