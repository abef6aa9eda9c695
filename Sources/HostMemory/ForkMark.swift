internal import CNUMA
internal import Glibc

/// Tells at the price of one load whether this is the process that made the mark, or a child that
/// it forked: a page that the kernel wipes in every child (madvise(2), MADV_WIPEONFORK, Linux
/// 4.14).
///
/// getpid(2) would tell as well, at the price of a system call for each question.
@safe
package struct ForkMark: ~Copyable, Sendable {
    /// The page's address, or 0 where the kernel has none to give or cannot wipe it: then the
    /// process's number is asked for.
    private let page: UInt
    package let processID: Int32

    private static let byteCount: UInt64 = 4096

    package init() {
        processID = getpid()
        let result = cnuma_map_private(ForkMark.byteCount)
        guard result > 0 else {
            page = 0
            return
        }
        let address = UInt(result)
        guard cnuma_advise(address, ForkMark.byteCount, CNUMA_MADV_WIPEONFORK) >= 0 else {
            _ = cnuma_unmap(address, ForkMark.byteCount)
            page = 0
            return
        }
        page = address
        unsafe mark?.pointee = 1
    }

    deinit { if page != 0 { _ = cnuma_unmap(page, ForkMark.byteCount) } }

    /// Safe to follow: the page is this value's own for as long as it lives.
    private var mark: UnsafeMutablePointer<UInt8>? {
        unsafe UnsafeMutablePointer(bitPattern: page)
    }

    /// Whether this process made the mark. Nobody writes to the page after `init` but the kernel,
    /// in a child, so that a plain load is enough.
    package var isOwnProcess: Bool {
        guard let mark = unsafe mark else { return getpid() == processID }
        return unsafe mark.pointee == 1
    }
}
