internal import VDPAMemory

/// Where things are in the driver's memory: the queue, a header and a status for each request, and
/// an indirect table for each.
struct ControlLayout {
    let queueSize: Int
    /// A header, data, a status.
    let linksPerTable = 34

    var queueByteCount: Int { SplitQueue.byteCount(size: queueSize) }
    var headerOffset: Int { (queueByteCount + 63) & ~63 }
    var statusOffset: Int { headerOffset + 16 * queueSize }
    var tableOffset: Int { (statusOffset + queueSize + 63) & ~63 }
    var byteCount: Int { tableOffset + 16 * linksPerTable * queueSize }
}

/// The requests that the device has, by the head of their chain.
struct RequestTable {
    let usesTables: Bool
    private let memory: DriverMemory
    private let layout: ControlLayout
    /// Slots for header, status and table that no request has.
    private var freeSlots: [Int]
    private var requests: [Request?]

    struct Request {
        let slot: Int
        let transfer: UInt64
    }

    init(_ memory: DriverMemory, _ layout: ControlLayout, usesTables: Bool) {
        self.memory = memory
        self.layout = layout
        self.usesTables = usesTables
        freeSlots = Array((0..<layout.queueSize).reversed())
        requests = Array(repeating: nil, count: layout.queueSize)
    }

    /// The header of struct virtio_blk_req in a free slot, and a status that no device writes.
    mutating func prepare(
        _ operation: BlockOperation, sector: UInt64
    ) -> (slot: Int, header: DMASlice, status: DMASlice, table: DriverMemory?)? {
        guard let slot = freeSlots.popLast() else { return nil }
        let header = memory.part(from: layout.headerOffset + 16 * slot, byteCount: 16)
        let status = memory.part(from: layout.statusOffset + slot, byteCount: 1)
        // Safe: sixteen bytes and one, each in its slot.
        unsafe header.address.storeBytes(of: operation.rawValue, as: UInt32.self)
        unsafe header.address.storeBytes(of: 0, toByteOffset: 4, as: UInt32.self)
        unsafe header.address.storeBytes(of: sector, toByteOffset: 8, as: UInt64.self)
        unsafe status.address.storeBytes(of: BlockStatus.unwritten.rawValue, as: UInt8.self)
        let tableBytes = 16 * layout.linksPerTable
        let table =
            usesTables
            ? memory.part(from: layout.tableOffset + tableBytes * slot, byteCount: tableBytes)
            : nil
        return (slot, header.slice, status.slice, table)
    }

    /// Takes back a slot whose request did not go out.
    mutating func cancel(_ slot: Int) { freeSlots.append(slot) }

    mutating func start(_ head: UInt16, slot: Int, transfer: UInt64) {
        requests[Int(head)] = Request(slot: slot, transfer: transfer)
    }

    /// The request that came back, and its status.
    mutating func finish(_ head: UInt16) -> (transfer: UInt64, status: BlockStatus)? {
        guard let request = requests[Int(head)] else { return nil }
        requests[Int(head)] = nil
        freeSlots.append(request.slot)
        // Safe: one byte in the slot.
        let status = unsafe memory.part(from: layout.statusOffset + request.slot, byteCount: 1)
            .address.load(as: UInt8.self)
        return (request.transfer, BlockStatus(rawValue: status))
    }
}

/// A transfer that is under way.
struct Transfer {
    let token: UInt64
    let data: [DMASlice]
    /// Requests that have not come back.
    var remaining: Int
    var status = BlockStatus.ok
}

/// A request that waits for room in the queue.
struct PendingRequest {
    let operation: BlockOperation
    let sector: UInt64
    let data: [DMASlice]
    let transfer: UInt64
}
