import Glibc
import VhostVDPA

/// An eventfd(2), closed at the end of its life.
struct EventDescriptor: ~Copyable {
    private let descriptor: FileDescriptor

    init() {
        // Looked up at run time: Swift's Glibc module has no sys/eventfd.h. Safe: the type is
        // eventfd(2)'s own.
        let eventfd = unsafe unsafeBitCast(
            dlsym(nil, "eventfd"), to: (@convention(c) (UInt32, Int32) -> Int32).self)
        let number = eventfd(0, O_CLOEXEC)
        precondition(number >= 0, "no descriptor to be had")
        descriptor = FileDescriptor(takingOver: number)
    }

    var binding: EventBinding { .eventfd(descriptor.rawValue) }
    var number: Int32 { descriptor.rawValue }
}
