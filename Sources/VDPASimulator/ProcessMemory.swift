internal import Glibc

// The one place where the simulator touches memory by number.
//
// Copies go through process_vm_readv(2) and process_vm_writev(2) on this very process: an address
// that is not mapped, or not permitted, is an answer (nil, false) and no signal, as with the
// kernel's copy_from_user, pin_user_pages and a device's access.

enum ProcessMemory {
    private typealias Transfer =
        @convention(c) (
            pid_t, UnsafeMutablePointer<iovec>, UInt, UnsafeMutablePointer<iovec>, UInt, UInt
        ) -> Int

    // Looked up at run time because glibc declares them only for _GNU_SOURCE, which Swift's Glibc
    // module leaves out. Safe: the types are those of process_vm_readv(2).
    private static let readTransfer = unsafe unsafeBitCast(
        dlsym(nil, "process_vm_readv"), to: Transfer.self)
    private static let writeTransfer = unsafe unsafeBitCast(
        dlsym(nil, "process_vm_writev"), to: Transfer.self)

    /// `count` bytes at `address`, or nil where not all of them can be read.
    static func read(_ address: UInt, count: Int) -> [UInt8]? {
        guard count > 0 else { return [] }
        var copied = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            // Safe: `buffer` holds `count` bytes; the kernel checks the other side.
            var local = unsafe iovec(iov_base: buffer.baseAddress, iov_len: count)
            var remote = unsafe iovec(
                iov_base: UnsafeMutableRawPointer(bitPattern: address), iov_len: count)
            copied = unsafe readTransfer(getpid(), &local, 1, &remote, 1, 0)
            initialized = max(copied, 0)
        }
        return copied == count ? bytes : nil
    }

    /// Writes all of `bytes` at `address`; false where some of them cannot be written.
    static func write(_ bytes: [UInt8], to address: UInt) -> Bool {
        guard !bytes.isEmpty else { return true }
        return unsafe bytes.withUnsafeBytes { buffer in
            // Safe: process_vm_writev only reads the local side, in spite of its type.
            var local = unsafe iovec(
                iov_base: UnsafeMutableRawPointer(mutating: buffer.baseAddress),
                iov_len: buffer.count)
            var remote = unsafe iovec(
                iov_base: UnsafeMutableRawPointer(bitPattern: address), iov_len: buffer.count)
            return unsafe writeTransfer(getpid(), &local, 1, &remote, 1, 0) == buffer.count
        }
    }

    /// Faults pages in for reading or writing, as pin_user_pages does: madvise(2) with
    /// MADV_POPULATE_READ (22) or MADV_POPULATE_WRITE (23), Linux 5.14.
    ///
    /// - Parameter address: a multiple of the page size.
    /// - Returns: whether all of them allow the access; nil where the kernel does not know the
    ///   advice (or, for mappings of device memory, refuses it).
    static func populate(_ address: UInt, count: UInt, writing: Bool) -> Bool? {
        guard let count = Int(exactly: count) else { return false }
        // Safe: the contents of the pages stay as they are.
        let result = unsafe madvise(
            UnsafeMutableRawPointer(bitPattern: address), count, writing ? 23 : 22)
        return result == 0 ? true : errno == EINVAL ? nil : false
    }

    /// A whole file of procfs, whose size stat(2) does not tell.
    static func contents(of path: String) -> [UInt8] {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { _ = close(file) }
        var contents: [UInt8] = []
        while true {
            let piece = unsafe [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
                // Safe: the kernel writes at most the buffer's count.
                count = max(unsafe Glibc.read(file, buffer.baseAddress, buffer.count), 0)
            }
            if piece.isEmpty { return contents }
            contents += piece
        }
    }

    /// Calls `body` with each line, without its end, until it answers false.
    static func forEachLine(of path: String, _ body: (ArraySlice<UInt8>) -> Bool) {
        let bytes = contents(of: path)
        var first = 0
        while first < bytes.count {
            let end = unsafe bytes.withUnsafeBytes { buffer in
                // Safe: memchr looks at no more than what is left of the buffer.
                let start = unsafe buffer.baseAddress! + first
                let found = unsafe memchr(start, 10, buffer.count - first)
                return unsafe found.map {
                    unsafe first + ($0 - UnsafeMutableRawPointer(mutating: start))
                }
            }
            guard body(bytes[first..<(end ?? bytes.count)]) else { return }
            first = (end ?? bytes.count) + 1
        }
    }

    /// What `/proc/self/fd/N` points to, or nil where the descriptor is not open.
    static func linkOfDescriptor(_ number: Int32) -> String? {
        let target = unsafe [UInt8](unsafeUninitializedCapacity: 256) { buffer, count in
            // Safe: readlink writes at most 256 bytes and ends them with no zero.
            count = max(
                unsafe buffer.withMemoryRebound(to: CChar.self) {
                    unsafe readlink("/proc/self/fd/\(number)", $0.baseAddress!, $0.count)
                }, 0)
        }
        return target.isEmpty ? nil : String(decoding: target, as: UTF8.self)
    }

    /// eventfd_signal: adds 1 to the counter behind a descriptor.
    static func signal(_ descriptor: Int32) -> Bool {
        var one: UInt64 = 1
        return unsafe Glibc.write(descriptor, &one, 8) == 8
    }

    /// eventfd_read, once the counter is not 0; false where it stays 0 for so long.
    static func awaitSignal(_ descriptor: Int32, milliseconds: Int) -> Bool {
        var file = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        // Safe: one structure, one file.
        guard unsafe poll(&file, 1, Int32(clamping: milliseconds)) > 0 else { return false }
        var count: UInt64 = 0
        return unsafe Glibc.read(descriptor, &count, 8) == 8
    }
}
