internal import VDPAMemory
internal import VDPASimulator

/// The device's side of a split virtqueue, over the simulator's DMA: every byte goes through the
/// device's translation.
struct DeviceQueue {
    let device: RunningDevice
    let index: Int
    private let ring: SimulatedRing
    private let usesEventIndex: Bool
    private var availableIndex: UInt16
    private var usedIndex: UInt16

    struct Link {
        let iova: IOVA
        let byteCount: Int
        let isWritten: Bool
    }

    struct Chain {
        let head: UInt16
        let links: [Link]

        var readable: [Link] { links.filter { !$0.isWritten } }
        var writable: [Link] { links.filter(\.isWritten) }
    }

    /// A queue that the driver has enabled, from where it stands.
    init?(_ device: RunningDevice, _ index: Int) {
        guard let ring = device.ring(index) else { return nil }
        self.device = device
        self.index = index
        self.ring = ring
        usesEventIndex = device.driverFeatures & 1 << 29 != 0
        availableIndex = ring.availableIndex
        usedIndex = ring.availableIndex
    }

    private func read(_ address: UInt64, _ byteCount: Int) -> [UInt8]? {
        device.read(IOVA(address), byteCount: byteCount, queue: index)
    }

    private func read16(_ address: UInt64) -> UInt16? {
        read(address, 2).map { UInt16($0[0]) | UInt16($0[1]) << 8 }
    }

    /// The next chain that the driver has published; nil where there is none, or the rings cannot
    /// be reached.
    mutating func next() -> Chain? {
        guard let published = read16(ring.driverArea + 2) else { return nil }
        guard published != availableIndex else {
            guard usesEventIndex else { return nil }
            // Asks for a kick, then looks again for what was published before that was seen.
            write16(availableIndex, at: ring.deviceArea + 4 + 8 * UInt64(ring.size))
            guard let again = read16(ring.driverArea + 2), again != availableIndex else {
                return nil
            }
            return take()
        }
        return take()
    }

    private mutating func take() -> Chain? {
        let slot = UInt64(UInt32(availableIndex) % ring.size)
        guard let head = read16(ring.driverArea + 4 + 2 * slot),
            let links = links(from: UInt32(head))
        else { return nil }
        availableIndex &+= 1
        device.setAvailableIndex(availableIndex, ofQueue: index)
        return Chain(head: head, links: links)
    }

    private func links(from head: UInt32) -> [Link]? {
        var links: [Link] = []
        var table = (address: ring.descriptors, size: ring.size)
        var next = head
        while next < table.size, links.count < 4096 {
            guard let bytes = read(table.address + 16 * UInt64(next), 16) else { return nil }
            let address = bytes.integer(0, 8)
            let byteCount = Int(bytes.integer(8, 4))
            let flags = bytes.integer(12, 2)
            if flags & 4 != 0 {
                table = (address, UInt32(byteCount / 16))
                next = 0
                continue
            }
            links.append(
                Link(iova: IOVA(address), byteCount: byteCount, isWritten: flags & 2 != 0))
            guard flags & 1 != 0 else { return links }
            next = UInt32(bytes.integer(14, 2))
        }
        return nil
    }

    private func write16(_ value: UInt16, at address: UInt64) {
        device.write(
            [UInt8(truncatingIfNeeded: value), UInt8(value >> 8)], at: IOVA(address),
            queue: index)
    }

    /// Gives a chain back, and calls the driver where it asked for that.
    mutating func complete(_ chain: Chain, written: Int) {
        let slot = UInt64(UInt32(usedIndex) % ring.size)
        var element = [UInt8](repeating: 0, count: 8)
        element[0] = UInt8(truncatingIfNeeded: chain.head)
        element[1] = UInt8(chain.head >> 8)
        for byte in 0..<4 { element[4 + byte] = UInt8(truncatingIfNeeded: written >> (8 * byte)) }
        device.write(element, at: IOVA(ring.deviceArea + 4 + 8 * slot), queue: index)
        let old = usedIndex
        usedIndex &+= 1
        write16(usedIndex, at: ring.deviceArea + 2)
        if wantsCall(old) { device.interrupt(queue: index) }
    }

    private func wantsCall(_ old: UInt16) -> Bool {
        if usesEventIndex {
            guard let event = read16(ring.driverArea + 4 + 2 * UInt64(ring.size)) else {
                return false
            }
            return usedIndex &- event &- 1 < usedIndex &- old
        }
        return read16(ring.driverArea).map { $0 & 1 == 0 } ?? false
    }
}

extension [UInt8] {
    func integer(_ offset: Int, _ count: Int) -> UInt64 {
        (0..<count).reduce(0) { $0 | UInt64(self[offset + $1]) << (8 * UInt64($1)) }
    }
}
