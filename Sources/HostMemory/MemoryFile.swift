internal import CNUMA

/// The one owner of a memfd: the pages belong to it, and go when it and its mappings are gone.
struct MemoryFile: ~Copyable, Sendable {
    let descriptor: Int32
    private let system: SystemCalls

    /// memfd_create(2), close-on-exec, then its size.
    static func create(
        name: String, byteCount: Int, pages: PageSize, _ system: SystemCalls
    ) throws(HostMemoryError) -> MemoryFile {
        let kind: UInt32 =
            switch pages {
            case .size4KiB, .transparent2MiB: 0
            case .size2MiB: CNUMA_MFD_HUGETLB | CNUMA_MFD_HUGE_2MB
            case .size1GiB: CNUMA_MFD_HUGETLB | CNUMA_MFD_HUGE_1GB
            }
        let result = system.memfdCreate(
            name: name, flags: CNUMA_MFD_CLOEXEC | CNUMA_MFD_ALLOW_SEALING | kind)
        guard result >= 0 else {
            var error = HostMemoryError(.memfdCreate, result)
            // hugetlb_file_setup answers so when the kernel or the processor lacks the size.
            if pages.isHugetlb, [EINVAL, ENODEV, ENOENT, ENOSYS].contains(-result) {
                error.code = .pageSizeUnavailable
            }
            throw error
        }
        let file = MemoryFile(descriptor: result, system: system)
        try file.truncate(to: byteCount)
        return file
    }

    /// ftruncate(2): what lies behind `byteCount` is given back.
    func truncate(to byteCount: Int) throws(HostMemoryError) {
        let result = system.truncate(descriptor, byteCount: byteCount)
        guard result >= 0 else { throw HostMemoryError(.truncate, result) }
    }

    /// Another descriptor of the file, close-on-exec, for somebody else to own. The file's size is
    /// sealed first: whoever has a descriptor could truncate it, and the next access to what was
    /// cut off would be SIGBUS.
    func duplicate() throws(HostMemoryError) -> Int32 {
        let sealed = system.sealSize(descriptor)
        guard sealed >= 0 else { throw HostMemoryError(.seal, sealed) }
        let result = system.duplicate(descriptor)
        guard result >= 0 else { throw HostMemoryError(.duplicate, result) }
        return result
    }

    deinit { system.close(descriptor) }
}
