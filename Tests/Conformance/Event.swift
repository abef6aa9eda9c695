internal import Glibc
internal import VhostVDPA

/// An eventfd, or a descriptor that is none.
struct Event: ~Copyable {
    private let descriptor: FileDescriptor

    // Looked up at run time: Swift's Glibc module has no sys/eventfd.h. Safe: eventfd(2)'s own
    // type.
    private static let eventfd = unsafe unsafeBitCast(
        dlsym(nil, "eventfd"), to: (@convention(c) (UInt32, Int32) -> Int32).self)

    init(isEventFile: Bool = true) throws {
        let number =
            isEventFile
            ? Event.eventfd(0, O_CLOEXEC) : unsafe Glibc.open("/dev/null", O_RDWR)
        guard number >= 0 else { throw ConformanceFailure(description: "no descriptor to be had") }
        descriptor = FileDescriptor(takingOver: number)
    }

    var number: Int32 { descriptor.rawValue }
}
