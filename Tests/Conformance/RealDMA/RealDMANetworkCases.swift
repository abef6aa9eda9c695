internal import TestSupport
internal import VDPAMemory
internal import VhostVDPA
internal import VirtioDriver

extension ConformanceCase {
    /// vdpa_sim's network device receives what it sends.
    static let networkLoop: [ConformanceCase] = [
        ConformanceCase(
            "DMA: packets go out of one pool's buffers and come back in others", on: .vdpaSim
        ) { context in
            let device = try context.machine.openDevice(.network)
            let domain = try DMADomain(device)
            let pool = try DMABufferPool(
                try domain.allocate(byteCount: 256 * 2048), bufferSize: 2048)
            let net = try VirtioNet(
                device, domain, pool: pool, queueSize: 128, receiveCount: 64)
            let messages = domain.statistics.messages
            var random = SeededGenerator(seed: TestKnobs.seed(0x7e7))
            var packets = PacketLoop(net, pool)
            for number in 0..<300 {
                try packets.send(UInt32(number), byteCount: 60 + random.below(1440))
                // Bursts of up to 16.
                if random.chance(oneIn: 8) || packets.outstanding >= 16 {
                    try packets.receiveAll()
                }
            }
            try packets.receiveAll()
            try expectEqual(domain.statistics.messages, messages, "messages for all of it")
            try net.close()
            // Every buffer is back.
            var count = 0
            while pool.take() != nil { count += 1 }
            try expectEqual(count, pool.capacity, "buffers in the pool")
        }
    ]
}

/// Packets that are sent and must come back as they were, in this order.
private struct PacketLoop {
    private let net: VirtioNet
    private let pool: DMABufferPool
    private var expected: [(number: UInt32, byteCount: Int)] = []

    init(_ net: VirtioNet, _ pool: DMABufferPool) {
        self.net = net
        self.pool = pool
    }

    var outstanding: Int { expected.count }

    mutating func send(_ number: UInt32, byteCount: Int) throws {
        guard let buffer = pool.take() else {
            throw ConformanceFailure(description: "the pool is empty at packet \(number)")
        }
        let total = VirtioNet.headerByteCount + byteCount
        let packet = DriverMemory(buffer, byteCount: total)
        for index in 0..<total { unsafe packet.bytes[index] = PacketLoop.byte(number, index) }
        for index in 0..<VirtioNet.headerByteCount { unsafe packet.bytes[index] = 0 }
        // To everybody, which is one's own, too.
        for index in 12..<18 { unsafe packet.bytes[index] = 0xff }
        try expectEqual(net.send(buffer, byteCount: total), true, "sent")
        expected.append((number, byteCount))
    }

    private static func byte(_ number: UInt32, _ index: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: (Int(number) &* 31) ^ (index &* 7))
    }

    mutating func receiveAll() throws {
        let deadline = Deadline(milliseconds: 20_000)
        while !expected.isEmpty {
            try net.reclaim()
            guard let (buffer, byteCount) = try net.received() else {
                try expectEqual(deadline.isPast, false, "\(outstanding) packets in time")
                try net.waitForPacket()
                continue
            }
            let (number, wanted) = expected.removeFirst()
            try expectEqual(
                byteCount, VirtioNet.headerByteCount + wanted, "bytes of packet \(number)")
            let packet = DriverMemory(buffer, byteCount: byteCount)
            for index in 18..<byteCount {
                try expectEqual(
                    unsafe packet.bytes[index], PacketLoop.byte(number, index),
                    "byte \(index) of packet \(number)")
            }
            pool.give(buffer)
            try net.refill()
        }
        try net.reclaim()
    }
}
