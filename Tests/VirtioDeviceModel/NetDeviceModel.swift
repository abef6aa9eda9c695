internal import Foundation
internal import Synchronization
package import VDPASimulator

/// vdpa_sim's network device: what is sent comes in again, if it is for the device's own address or
/// for all. A thread that ends with the model's last reference.
package final class NetDeviceModel: Sendable {
    private let thread: DeviceThread

    package init(_ device: SimulatedDevice) {
        let address = Array(device.configuration.configurationSpace.prefix(6))
        thread = DeviceThread(device, queue: 1) { running in
            let queues = Mutex((receive: DeviceQueue(running, 0), send: DeviceQueue(running, 1)))
            return { queues.withLock { NetDeviceModel.loop(&$0, running, address) } }
        }
    }

    deinit { thread.end() }

    private static func loop(
        _ queues: inout (receive: DeviceQueue?, send: DeviceQueue?), _ device: RunningDevice,
        _ address: [UInt8]
    ) {
        guard queues.receive != nil, queues.send != nil else { return }
        while let sent = queues.send?.next() {
            var packet: [UInt8] = []
            for link in sent.readable {
                packet += device.read(link.iova, byteCount: link.byteCount, queue: 1) ?? []
            }
            queues.send?.complete(sent, written: 0)
            guard packet.count >= 26 else { continue }
            let destination = Array(packet[12..<18])
            guard destination == address || destination == Array(repeating: 0xff, count: 6),
                let room = queues.receive?.next()
            else { continue }
            var left = packet[...]
            for link in room.writable {
                let part = left.prefix(link.byteCount)
                device.write(Array(part), at: link.iova, queue: 0)
                left = left.dropFirst(part.count)
            }
            queues.receive?.complete(room, written: packet.count - left.count)
        }
    }
}

/// A pause of the calling thread.
enum Pause {
    static func sleep(milliseconds: Int) {
        Thread.sleep(forTimeInterval: Double(milliseconds) / 1000)
    }
}
