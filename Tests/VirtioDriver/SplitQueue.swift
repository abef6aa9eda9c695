internal import CVirtioDriver
package import VDPAMemory

/// The driver's side of a split virtqueue (virtio specification 1.2, section 2.7) in any block of
/// memory that the device reads and writes. One thread.
@safe
package struct SplitQueue: ~Copyable {
    package let size: Int
    /// Whether VIRTIO_F_EVENT_IDX was negotiated.
    package let usesEventIndex: Bool
    /// What the device is told.
    package let addresses: VringAddresses

    private let descriptors: UnsafeMutablePointer<cvd_descriptor>
    private let available: UnsafeMutableRawPointer
    private let used: UnsafeMutableRawPointer
    /// Free descriptors, linked by their `next`.
    private var firstFree: UInt16 = 0
    package private(set) var freeCount: Int
    /// Descriptors of the chain that starts here; 0 where none does that is out.
    private var chainLengths: [UInt16]
    private var availableIndex: UInt16 = 0
    private var publishedIndex: UInt16 = 0
    private var usedIndex: UInt16 = 0

    private static let hasNext: UInt16 = 1
    private static let isWritten: UInt16 = 2
    private static let isIndirect: UInt16 = 4
    private static let noEvent: UInt16 = 1

    /// What a queue of `size` entries takes: both rings with the index of the event behind them.
    package static func byteCount(size: Int) -> Int { usedOffset(size) + 6 + 8 * size }

    private static func usedOffset(_ size: Int) -> Int { (16 * size + 6 + 2 * size + 3) & ~3 }

    /// An empty queue; the block is zeroed.
    ///
    /// - Precondition: `size` is a power of two up to 32768; the block is aligned to 16 bytes and
    ///   holds `byteCount(size:)`, and the caller keeps it for as long as this lives.
    package init(_ block: DriverMemory, size: Int, usesEventIndex: Bool) {
        precondition(size > 0 && size <= 32768 && size & (size - 1) == 0, "a power of two")
        precondition(block.byteCount >= SplitQueue.byteCount(size: size), "the queue fits")
        precondition(block.iova.rawValue % 16 == 0, "descriptors are aligned")
        // Safe: all three areas lie in the block, whose size was just checked.
        unsafe block.bytes.initializeMemory(as: UInt8.self, repeating: 0)
        unsafe descriptors = block.address.bindMemory(to: cvd_descriptor.self, capacity: size)
        unsafe available = block.address + 16 * size
        unsafe used = block.address + SplitQueue.usedOffset(size)
        let first = block.iova.rawValue
        addresses = VringAddresses(
            descriptors: IOVA(first), available: IOVA(first + UInt64(16 * size)),
            used: IOVA(first + UInt64(SplitQueue.usedOffset(size))))
        for index in 0..<size { unsafe descriptors[index].next = UInt16((index + 1) % size) }
        self.size = size
        self.usesEventIndex = usesEventIndex
        freeCount = size
        chainLengths = Array(repeating: 0, count: size)
    }

    /// Chains that the device has.
    package var outstanding: Int { chainLengths.count { $0 > 0 } }

    // MARK: giving chains to the device

    /// Puts a chain into the available ring, for the device to see with the next `publish()`.
    ///
    /// - Parameter table: takes the chain as an indirect table, in one descriptor.
    /// - Returns: the number by which the chain comes back, or nil where the queue is full.
    package mutating func add(_ chain: [Segment], table: DriverMemory? = nil) -> UInt16? {
        precondition(!chain.isEmpty, "a chain has a link")
        let needed = table == nil ? chain.count : 1
        guard needed <= freeCount else { return nil }
        let head = firstFree
        if let table {
            write(chain, into: table)
            let link = Segment(
                DMASlice(iova: table.iova, byteCount: 16 * chain.count), isWritten: false)
            put(link, SplitQueue.isIndirect)
        } else {
            for (index, segment) in chain.enumerated() {
                put(segment, index + 1 < chain.count ? SplitQueue.hasNext : 0)
            }
        }
        freeCount -= needed
        chainLengths[Int(head)] = UInt16(needed)
        // Safe: the slot is inside the ring.
        unsafe available.storeBytes(
            of: head, toByteOffset: 4 + 2 * (Int(availableIndex) % size), as: UInt16.self)
        availableIndex &+= 1
        return head
    }

    /// Fills the first free descriptor. Its `next` already names the one behind it.
    private mutating func put(_ segment: Segment, _ flags: UInt16) {
        let index = Int(firstFree)
        // Safe: `firstFree` is below `size`.
        unsafe descriptors[index].address = segment.slice.iova.rawValue
        unsafe descriptors[index].byte_count = UInt32(segment.slice.byteCount)
        unsafe descriptors[index].flags = flags | (segment.isWritten ? SplitQueue.isWritten : 0)
        firstFree = unsafe descriptors[index].next
    }

    private func write(_ chain: [Segment], into table: DriverMemory) {
        precondition(table.byteCount >= 16 * chain.count, "the table holds the chain")
        for (index, segment) in chain.enumerated() {
            let hasNext = index + 1 < chain.count
            let link = cvd_descriptor(
                address: segment.slice.iova.rawValue,
                byte_count: UInt32(segment.slice.byteCount),
                flags: (hasNext ? SplitQueue.hasNext : 0)
                    | (segment.isWritten ? SplitQueue.isWritten : 0),
                next: hasNext ? UInt16(index + 1) : 0)
            // Safe: inside the table, as just checked.
            unsafe table.address.storeBytes(
                of: link, toByteOffset: 16 * index, as: cvd_descriptor.self)
        }
    }

    /// Shows the device what was added.
    ///
    /// - Returns: whether it wants to be woken.
    package mutating func publish() -> Bool {
        let old = publishedIndex
        guard old != availableIndex else { return false }
        publishedIndex = availableIndex
        // Safe: inside the rings; so are all accesses below.
        unsafe cvd_store_release(available + 2, availableIndex)
        cvd_full_fence()
        guard usesEventIndex else { return unsafe cvd_load_acquire(used) & 1 == 0 }
        let event = unsafe cvd_load_acquire(used + 4 + 8 * size)
        return availableIndex &- event &- 1 < availableIndex &- old
    }

    // MARK: taking them back

    /// The next chain that the device is done with, and how many bytes it says it wrote.
    package mutating func take() throws(DriverError) -> (head: UInt16, written: UInt32)? {
        guard unsafe cvd_load_acquire(used + 2) != usedIndex else { return nil }
        let slot = 4 + 8 * (Int(usedIndex) % size)
        let number = unsafe used.load(fromByteOffset: slot, as: UInt32.self)
        let written = unsafe used.load(fromByteOffset: slot + 4, as: UInt32.self)
        guard number < UInt32(size), chainLengths[Int(number)] > 0 else { throw .brokenUsedRing }
        usedIndex &+= 1
        let head = UInt16(number)
        // The links of the chain name each other still; the last one gets the old free list.
        var last = Int(head)
        for _ in 1..<chainLengths[Int(head)] { last = Int(unsafe descriptors[last].next) }
        unsafe descriptors[last].next = firstFree
        firstFree = head
        freeCount += Int(chainLengths[Int(head)])
        chainLengths[Int(head)] = 0
        return (head, written)
    }

    /// Asks for a call with the next chain that the device is done with.
    ///
    /// - Returns: whether one is there already, for which no call may come.
    package mutating func askForCall() -> Bool {
        if usesEventIndex {
            unsafe cvd_store_release(available + 4 + 2 * size, usedIndex)
        } else {
            unsafe cvd_store_release(available, 0)
        }
        cvd_full_fence()
        return unsafe cvd_load_acquire(used + 2) != usedIndex
    }

    /// Asks for no calls: the driver looks by itself. A hint; the device may call all the same.
    package mutating func askForNoCall() {
        // With the event index it is enough to leave the index behind.
        guard !usesEventIndex else { return }
        unsafe cvd_store_release(available, SplitQueue.noEvent)
    }
}
