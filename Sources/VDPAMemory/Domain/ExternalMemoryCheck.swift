internal import HostMemory

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

    static func inspect(
        _ memory: Range, access: DMAAccess, mapsByAddress: Bool
    ) throws(DMAError) -> ExternalRange {
        let text = "0x\(String(memory.address, radix: 16)) + \(memory.byteCount) bytes"
        guard memory.byteCount > 0, memory.address % 4096 == 0, memory.byteCount % 4096 == 0 else {
            throw DMAError(
                .unsuitableMemory,
                "The memory at \(text) is not made of whole 4 KiB pages: the device would reach "
                    + "its neighbours' bytes.",
                remedy: "Align its start and size to 4096 bytes.")
        }
        let areas: [MemoryArea]
        do throws(HostMemoryError) {
            // Safe: the range is looked up in /proc/self/maps and never accessed.
            areas = try unsafe ExternalMemory.inspect(
                UnsafeRawBufferPointer(
                    start: UnsafeRawPointer(bitPattern: memory.address), count: memory.byteCount))
        } catch {
            throw DMAError(error)
        }
        for area in areas {
            if !area.isReadable {
                throw DMAError(
                    .unsuitableMemory,
                    "The memory at \(text) allows no access in part, and cannot be pinned.",
                    remedy: "Map it readable first.")
            }
            if access != .readOnly, !area.isWritable {
                throw DMAError(
                    .unsuitableMemory,
                    "The memory at \(text) is read-only in part, and the device is to write it.",
                    remedy: "Register it as `.readOnly`, or map it writable.")
            }
            if mapsByAddress, !(area.isShared && area.isFileBacked) {
                throw DMAError(
                    .unsuitableMemory,
                    "The memory at \(text) is private or anonymous in part. This device maps by "
                        + "virtual address, and the kernel would map nothing there in silence.",
                    remedy: "Use memory from memfd_create or a shared file, or `allocate`.")
            }
        }
        return ExternalRange(
            address: memory.address, byteCount: UInt64(memory.byteCount), areaCount: areas.count)
    }
}
