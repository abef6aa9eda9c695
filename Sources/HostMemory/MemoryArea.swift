/// A piece of the process's address space, as the kernel describes it.
package struct MemoryArea: Hashable, Sendable {
    /// The addresses, clipped to what was asked about.
    package internal(set) var addresses: ClosedRange<UInt>
    package let isReadable: Bool
    package let isWritable: Bool
    /// MAP_SHARED, as opposed to private.
    package let isShared: Bool
    /// The byte of the file at `addresses.lowerBound`.
    package internal(set) var fileOffset: UInt64
    /// The file's inode number, 0 where there is no file behind the area.
    package let inode: UInt64
    /// The file's path, or a name in brackets such as `[heap]`; may be empty.
    package let path: String
    /// The size of the kernel's pages here in bytes; nil unless asked for.
    package internal(set) var kernelPageByteCount: Int?
    /// The bytes that transparent hugepages of a shared file map; 0 unless asked for. Counts the
    /// whole area, not what `addresses` is clipped to.
    package internal(set) var pmdMappedByteCount = 0
    /// A device's memory (VM_IO or VM_PFNMAP), which cannot be pinned; false unless asked for.
    package internal(set) var isDeviceMemory = false

    /// Whether a file is behind the area. Memory shared without a name is backed by one too
    /// (`/dev/zero (deleted)`), private anonymous memory is not.
    package var isFileBacked: Bool { inode != 0 }

    package var byteCount: Int { Int(addresses.upperBound - addresses.lowerBound + 1) }

    /// Reads a line of /proc/PID/maps (proc_pid_maps(5)):
    /// `7f0a4c000000-7f0a4c200000 rw-s 00000000 00:01 1234   /memfd:name (deleted)`.
    init?(mapsLine line: Substring) {
        let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
        guard fields.count >= 5, let dash = fields[0].firstIndex(of: "-"),
            let first = UInt(fields[0][..<dash], radix: 16),
            let end = UInt(fields[0][fields[0].index(after: dash)...], radix: 16), first < end,
            let offset = UInt64(fields[2], radix: 16), let inode = UInt64(fields[4])
        else { return nil }
        let permissions = Array(fields[1].utf8)
        guard permissions.count == 4 else { return nil }
        self.addresses = first...(end - 1)
        self.isReadable = permissions[0] == UInt8(ascii: "r")
        self.isWritable = permissions[1] == UInt8(ascii: "w")
        self.isShared = permissions[3] == UInt8(ascii: "s")
        self.fileOffset = offset
        self.inode = inode
        self.path = fields.count > 5 ? String(fields[5].drop { $0 == " " }) : ""
    }

    /// Takes in a line of /proc/PID/smaps that belongs to the area.
    mutating func read(detail line: Substring) {
        if let size = TextFile.byteCount(of: "KernelPageSize", in: line) {
            kernelPageByteCount = size
        } else if let size = TextFile.byteCount(of: "ShmemPmdMapped", in: line) {
            pmdMappedByteCount = size
        } else if line.hasPrefix("VmFlags:") {
            isDeviceMemory = line.split(separator: " ").contains { $0 == "io" || $0 == "pf" }
        }
    }

    mutating func clip(to range: ClosedRange<UInt>) {
        let clipped = addresses.clamped(to: range)
        if isFileBacked { fileOffset += UInt64(clipped.lowerBound - addresses.lowerBound) }
        addresses = clipped
    }
}
