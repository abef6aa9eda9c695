package import VDPAMemory

/// A virtio-net driver over two queues, receive and transmit, whose every packet lies in a buffer
/// of a `DMABufferPool`: taken for receiving, handed over, given back. One thread.
package final class VirtioNet {
    package let device: VDPADevice
    package let domain: DMADomain
    package let pool: DMABufferPool
    /// The device's own address.
    package let hardwareAddress: [UInt8]

    private var region: DMARegion?
    private var receive: Direction
    private var transmit: Direction

    /// struct virtio_net_hdr_v1: what every packet starts with, both ways.
    package static let headerByteCount = 12
    private static let addressFeature = VirtioFeatures(rawValue: 1 << 5)

    /// One queue, the buffers that the device has, by the head of their chain, and its events.
    private struct Direction: ~Copyable {
        var queue: SplitQueue
        let kick: QueueEvent
        let call: QueueEvent
        var buffers: [DMABuffer?]

        init(_ memory: DriverMemory, size: Int) throws(DriverError) {
            let kick = try QueueEvent()
            let call = try QueueEvent()
            self.kick = kick
            self.call = call
            queue = SplitQueue(memory, size: size, usesEventIndex: false)
            buffers = Array(repeating: nil, count: size)
        }

        func setup(_ index: UInt32) -> QueueSetup {
            QueueSetup(
                index: index, size: queue.size, addresses: queue.addresses, kick: kick.binding,
                call: call.binding)
        }

        /// False where the queue is full.
        mutating func add(
            _ buffer: DMABuffer, byteCount: Int, isWritten: Bool
        ) throws(DriverError) -> Bool {
            let slice = DMASlice(iova: buffer.iova, byteCount: byteCount)
            guard let head = queue.add([Segment(slice, isWritten: isWritten)]) else {
                return false
            }
            buffers[Int(head)] = buffer
            if queue.publish() { try kick.signal() }
            return true
        }

        mutating func take() throws(DriverError) -> (buffer: DMABuffer, written: Int)? {
            guard let (head, written) = try queue.take() else { return nil }
            guard let buffer = buffers[Int(head)] else { throw .brokenUsedRing }
            buffers[Int(head)] = nil
            return (buffer, Int(written))
        }
    }

    /// Brings the device up, and hands it `receiveCount` of the pool's buffers.
    ///
    /// - Parameter queueSize: a power of two.
    package init(
        _ device: VDPADevice, _ domain: DMADomain, pool: DMABufferPool, queueSize: Int,
        receiveCount: Int
    ) throws(DriverError) {
        let byteCount = (SplitQueue.byteCount(size: queueSize) + 63) & ~63
        let region = try dma { () throws(DMAError) in
            try domain.allocate(byteCount: 2 * byteCount)
        }
        let memory = DriverMemory(region)
        receive = try Direction(memory.part(from: 0, byteCount: byteCount), size: queueSize)
        transmit = try Direction(
            memory.part(from: byteCount, byteCount: byteCount), size: queueSize)
        let features = try device.negotiate(VirtioNet.addressFeature)
        hardwareAddress =
            features.contains(VirtioNet.addressFeature)
            ? try dma { () throws(DMAError) in try device.config(byteCount: 6) }
            : [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
        self.device = device
        self.domain = domain
        self.pool = pool
        self.region = consume region
        try device.start([receive.setup(0), transmit.setup(1)])
        for _ in 0..<receiveCount { try refill() }
    }

    deinit {
        guard region != nil else { return }
        do {
            try device.reset()
            returnBuffers()
        } catch {
            // The device may go on using the rings: their memory stays with the domain.
            _ = region.take()?.relinquish()
        }
    }

    /// Hands the device one more buffer to receive into.
    ///
    /// - Returns: false where the pool is empty or the queue full.
    @discardableResult
    package func refill() throws(DriverError) -> Bool {
        guard let buffer = pool.take() else { return false }
        let isAdded = try receive.add(
            buffer, byteCount: pool.bufferByteCount, isWritten: true)
        if !isAdded { pool.give(buffer) }
        return isAdded
    }

    /// Sends a packet that lies in a pool's buffer, header first. The buffer is the device's, and
    /// goes back to the pool when that is done with it.
    ///
    /// - Returns: false where the queue is full; then the buffer is still the caller's.
    package func send(_ buffer: DMABuffer, byteCount: Int) throws(DriverError) -> Bool {
        try transmit.add(buffer, byteCount: byteCount, isWritten: false)
    }

    /// Gives back what has been sent, and the number of buffers.
    @discardableResult
    package func reclaim() throws(DriverError) -> Int {
        var count = 0
        while let (buffer, _) = try transmit.take() {
            pool.give(buffer)
            count += 1
        }
        return count
    }

    /// A packet that has come in, header first: the caller gives the buffer back.
    package func received() throws(DriverError) -> (buffer: DMABuffer, byteCount: Int)? {
        guard let (buffer, written) = try receive.take() else { return nil }
        return (buffer, written)
    }

    /// Waits for a packet, or for 0.1 s.
    package func waitForPacket() throws(DriverError) {
        if receive.queue.askForCall() { return }
        if try receive.call.wait(milliseconds: 100) { receive.call.clear() }
    }

    /// Stops the device; all buffers are back in the pool.
    package func close() throws(DriverError) {
        try dma { () throws(DMAError) in try device.reset() }
        returnBuffers()
        if let region = region.take() {
            do throws(DMAError) { try region.free() } catch { throw .device(error) }
        }
    }

    private func returnBuffers() {
        for index in receive.buffers.indices {
            if let buffer = receive.buffers[index] { pool.give(buffer) }
            if let buffer = transmit.buffers[index] { pool.give(buffer) }
            receive.buffers[index] = nil
            transmit.buffers[index] = nil
        }
    }
}
