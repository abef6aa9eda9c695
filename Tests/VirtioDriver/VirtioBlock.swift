package import VDPAMemory

/// A virtio-blk driver over one queue, as an application would write it on top of this library: it
/// has no memory but what the domain maps, and knows which of it the device may be using.
///
/// A transfer of any size is cut into requests as large as the device allows, which go out as the
/// queue has room. One thread.
package final class VirtioBlock {
    package let device: VDPADevice
    package let domain: DMADomain
    package let options: BlockOptions
    package internal(set) var geometry: BlockGeometry
    package internal(set) var features: VirtioFeatures = []

    /// Rings, headers, statuses, indirect tables: nobody else's until the device is stopped.
    private var region: DMARegion?
    private let memory: DriverMemory
    private let kick: QueueEvent
    let call: QueueEvent
    var queue: SplitQueue
    var requests: RequestTable
    /// Requests that no descriptor was free for, oldest first.
    var backlog: [PendingRequest] = []
    var transfers: [UInt64: Transfer] = [:]
    var nextTransfer: UInt64 = 0
    package internal(set) var isRunning = false
    /// Every wake-up of the device that was needed, and every request: what suppression saves.
    package internal(set) var kickCount = 0
    package internal(set) var requestCount = 0

    /// Brings a device up that nobody has used since it was opened; its address space is
    /// `domain`'s.
    ///
    /// - Throws: `device` where the domain has no memory or the kernel refused, `featuresRefused`,
    ///   `needsReset`, `event`.
    package init(
        _ device: VDPADevice, _ domain: DMADomain, _ options: BlockOptions = BlockOptions()
    ) throws(DriverError) {
        let maximum = try dma { () throws(DMAError) in try device.maximumQueueSize }
        let size = min(options.queueSize, maximum)
        let layout = ControlLayout(queueSize: size)
        let region = try dma { () throws(DMAError) in
            try domain.allocate(byteCount: layout.byteCount)
        }
        memory = DriverMemory(region)
        self.region = consume region
        self.device = device
        self.domain = domain
        self.options = options
        kick = try QueueEvent()
        call = try QueueEvent()
        queue = SplitQueue(
            memory.part(from: 0, byteCount: layout.queueByteCount), size: size,
            usesEventIndex: false)
        requests = RequestTable(memory, layout, usesTables: false)
        geometry = BlockGeometry(
            sectorCount: 0, segmentByteCount: 0, segmentCount: 0, isReadOnly: true,
            canFlush: false)
        try bringUp()
    }

    deinit {
        guard isRunning || region != nil else { return }
        do {
            try device.reset()
        } catch {
            // The device may go on using the rings: their memory stays with the domain.
            _ = region.take()?.relinquish()
        }
    }

    /// Steps 1 to 8 of a driver: to DRIVER_OK, with empty rings.
    func bringUp() throws(DriverError) {
        var wanted = VirtioFeatures.blockOptional
        if options.usesEventIndex { wanted.insert(.eventIndex) }
        if options.usesIndirectDescriptors { wanted.insert(.indirectDescriptors) }
        features = try device.negotiate(wanted)
        geometry = try BlockGeometry(of: device, features)
        let size = queue.size
        let layout = ControlLayout(queueSize: size)
        queue = SplitQueue(
            memory.part(from: 0, byteCount: layout.queueByteCount), size: size,
            usesEventIndex: features.contains(.eventIndex))
        requests = RequestTable(
            memory, layout, usesTables: features.contains(.indirectDescriptors))
        // A direct chain must fit into the queue, and an indirect one into its table.
        let links = requests.usesTables ? layout.linksPerTable : size
        geometry.segmentCount = min(geometry.segmentCount, links - 2)
        kick.clear()
        call.clear()
        try device.start([
            QueueSetup(
                index: 0, size: size, addresses: queue.addresses, kick: kick.binding,
                call: call.binding)
        ])
        isRunning = true
    }

    /// Resets the device: when this returns, it uses no memory any more.
    ///
    /// - Returns: the tokens of the transfers that were given up.
    @discardableResult
    package func stop() throws(DriverError) -> [UInt64] {
        isRunning = false
        try dma { () throws(DMAError) in try device.reset() }
        return abandonAll()
    }

    /// Reset, `remap()`, and a new start over the same memory: what repairs whatever has happened.
    ///
    /// - Returns: the tokens of the transfers that were given up.
    @discardableResult
    package func restart() throws(DriverError) -> [UInt64] {
        let abandoned = try stop()
        try dma { () throws(DMAError) in try domain.remap() }
        try bringUp()
        return abandoned
    }

    private func abandonAll() -> [UInt64] {
        let tokens = transfers.values.map(\.token).sorted()
        transfers = [:]
        backlog = []
        return tokens
    }

    func wake() throws(DriverError) {
        kickCount += 1
        try kick.signal()
    }

    /// Stops the device and gives its memory back to the domain.
    package func close() throws(DriverError) {
        try stop()
        if let region = region.take() {
            do throws(DMAError) { try region.free() } catch { throw .device(error) }
        }
    }
}

extension VirtioFeatures {
    static let blockSizeMaximum = VirtioFeatures(rawValue: 1 << 1)
    static let blockSegmentMaximum = VirtioFeatures(rawValue: 1 << 2)
    static let blockReadOnly = VirtioFeatures(rawValue: 1 << 5)
    static let blockFlush = VirtioFeatures(rawValue: 1 << 9)
    static let blockOptional: VirtioFeatures = [
        .blockSizeMaximum, .blockSegmentMaximum, .blockReadOnly, .blockFlush,
    ]
}

extension BlockGeometry {
    /// struct virtio_blk_config: capacity, size_max, seg_max.
    init(of device: VDPADevice, _ features: VirtioFeatures) throws(DriverError) {
        let bytes = try dma { () throws(DMAError) in try device.config(byteCount: 16) }
        func integer(_ offset: Int, _ count: Int) -> UInt64 {
            (0..<count).reduce(0) { $0 | UInt64(bytes[offset + $1]) << (8 * UInt64($1)) }
        }
        sectorCount = integer(0, 8)
        let size = Int(integer(8, 4))
        segmentByteCount =
            features.contains(.blockSizeMaximum) && size > 0 ? min(size, 1 << 20) : 1 << 20
        let count = Int(integer(12, 4))
        // Without the feature a driver may count on one segment.
        segmentCount = features.contains(.blockSegmentMaximum) && count > 0 ? count : 1
        isReadOnly = features.contains(.blockReadOnly)
        canFlush = features.contains(.blockFlush)
    }
}
