internal import Glibc

/// Fresh, populated memory for one case; unmapped at the end of its life. Between a readable
/// mapping and the next there is always a page without access, so that no two are neighbours.
@safe struct Pages: ~Copyable {
    enum Kind {
        /// MAP_SHARED, backed by shmem: maps on every kind of parent.
        case shared
        /// MAP_PRIVATE and anonymous, as from malloc.
        case privateAnonymous
        /// MAP_SHARED without write permission.
        case sharedReadOnly
    }

    let count: Int
    private let base: UnsafeMutableRawPointer

    init(_ count: Int, _ kind: Kind = .shared) throws {
        unsafe base = try Pages.map(count, kind)
        self.count = count
    }

    private static func map(_ count: Int, _ kind: Kind) throws -> UnsafeMutableRawPointer {
        let protection = kind == .sharedReadOnly ? PROT_READ : PROT_READ | PROT_WRITE
        let sharing = kind == .privateAnonymous ? MAP_PRIVATE : MAP_SHARED
        let byteCount = count * 4096
        // Safe: the kernel chooses free addresses, and only the middle of them is replaced.
        let reserved = unsafe mmap(
            nil, byteCount + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let reserved = unsafe reserved, unsafe reserved != MAP_FAILED else {
            throw ConformanceFailure(description: "mmap of \(count + 2) pages: errno \(errno)")
        }
        let mapped = unsafe mmap(
            reserved + 4096, byteCount, protection,
            sharing | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0)
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
            let error = errno
            _ = unsafe munmap(reserved, byteCount + 8192)
            throw ConformanceFailure(description: "mmap of \(count) pages: errno \(error)")
        }
        return unsafe mapped
    }

    deinit { _ = unsafe munmap(base - 4096, count * 4096 + 8192) }

    /// The address of a page.
    subscript(page: Int) -> UInt { unsafe UInt(bitPattern: base) + UInt(page) * 4096 }

    /// The page without access after the last one.
    var hole: UInt { self[count] }
}
