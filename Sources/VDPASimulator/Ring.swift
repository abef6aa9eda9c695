internal import CVhostVDPA
internal import VhostVDPA

/// What the device knows of one virtqueue.
public struct SimulatedRing: Hashable, Sendable {
    /// SET_VRING_NUM; a power of two, possibly above the device's maximum.
    public var size: UInt32 = 0
    /// SET_VRING_ADDR: IOVAs, checked against nothing.
    public var descriptors: UInt64 = 0
    public var driverArea: UInt64 = 0
    public var deviceArea: UInt64 = 0
    /// The next available index; packed rings have their wrap counter in bit 15.
    public var availableIndex: UInt16 = 0
    /// Packed rings only.
    public var usedIndex: UInt16 = 0
    public var isEnabled = false
    public var busyLoopTimeout: UInt32 = 0
    /// Descriptor numbers as they were given, nil where none is bound.
    public var kick: Int32?
    public var call: Int32?
    public var error: Int32?

    /// A ring that nobody has set up.
    public init() {}

    init(size: UInt32, busyLoopTimeout: UInt32) {
        self.size = size
        self.busyLoopTimeout = busyLoopTimeout
    }
}

/// The kernel's reference to an eventfd: it outlives the number that the caller gave.
final class EventReference: Sendable {
    let givenNumber: Int32
    private let descriptor: FileDescriptor

    /// eventfd_ctx_fdget: EBADF where the number is not open, EINVAL where it is no eventfd.
    static func open(_ number: Int32) -> Result<EventReference, Errno> {
        guard let target = ProcessMemory.linkOfDescriptor(number) else {
            return .failure(.badDescriptor)
        }
        guard target == "anon_inode:[eventfd]" else { return .failure(.invalid) }
        let copy = cvhost_duplicate(number)
        guard copy >= 0 else { return .failure(Errno(-copy)) }
        return .success(EventReference(number, FileDescriptor(takingOver: copy)))
    }

    private init(_ number: Int32, _ descriptor: consuming FileDescriptor) {
        givenNumber = number
        self.descriptor = descriptor
    }

    func signal() -> Bool { ProcessMemory.signal(descriptor.rawValue) }

    /// Waits for a signal, and takes it.
    func await(milliseconds: Int) -> Bool {
        ProcessMemory.awaitSignal(descriptor.rawValue, milliseconds: milliseconds)
    }
}

/// A ring's event descriptors.
struct RingEvents {
    var kick: EventReference?
    var call: EventReference?
    var error: EventReference?
}
