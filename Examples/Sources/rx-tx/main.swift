import Foundation
import VDPAMemory
import VDPASimulator

// A datapath with two queues, a thread and two pools for each, on a simulated device whose
// "network" sends every packet back. With a real device the two closures of `Wire` are descriptors
// in a ring.

/// What stands for the device: it reads what is to be sent and writes what has come in, by IOVA.
struct Wire: Sendable {
    let device: SimulatedDevice

    /// The device fetches a packet at `iova` and delivers it at `target`.
    func loop(_ iova: IOVA, byteCount: Int, to target: IOVA) -> Bool {
        guard let packet = device.read(iova, byteCount: byteCount) else { return false }
        return device.write(packet, at: target)
    }
}

/// One queue: what it sends comes from one pool, what it receives goes into another. Memory that
/// the device only reads is mapped read-only, and a stalled queue cannot starve the other one.
struct Queue: Sendable {
    let number: Int
    let transmit: DMABufferPool
    let receive: DMABufferPool

    init(_ number: Int, _ domain: DMADomain) throws {
        self.number = number
        transmit = try DMABufferPool(
            domain, bufferSize: 2048, count: 512, allocation: AllocationOptions(access: .readOnly))
        receive = try DMABufferPool(
            domain, bufferSize: 2048, count: 512, allocation: AllocationOptions(access: .writeOnly))
    }

    /// Sends `count` packets and looks at what comes back. Nothing here allocates, locks or calls
    /// the kernel but for the simulated device itself.
    func run(packets count: Int, over wire: Wire) -> Int {
        var arrived = 0
        for sequence in 0..<count {
            guard let outgoing = transmit.take(), let incoming = receive.take() else {
                preconditionFailure("a pool is exhausted: the control plane would grow it now")
            }
            let mark = UInt64(number) << 32 | UInt64(sequence)
            outgoing.address.storeBytes(of: mark, as: UInt64.self)
            guard wire.loop(outgoing.iova, byteCount: 64, to: incoming.iova) else {
                preconditionFailure("the device could not reach a buffer that is out")
            }
            if incoming.address.load(as: UInt64.self) == mark { arrived += 1 }
            // Only now is the device done with them.
            transmit.give(outgoing)
            receive.give(incoming)
        }
        return arrived
    }
}

let simulated = SimulatedDevice()
let domain = try DMADomain(try VDPADevice(simulated))
let queues = try (0..<2).map { try Queue($0, domain) }
let wire = Wire(device: simulated)
let packets = 20_000

let group = DispatchGroup()
for queue in queues {
    DispatchQueue.global().async(group: group) { @Sendable in
        let arrived = queue.run(packets: packets, over: wire)
        precondition(arrived == packets, "queue \(queue.number): \(arrived) of \(packets)")
    }
}
group.wait()

precondition(simulated.faults.isEmpty, "the device accessed what was not mapped")
let messages = domain.statistics.messages
print("2 queues, \(2 * packets) packets sent and received, \(messages) messages to the device")
