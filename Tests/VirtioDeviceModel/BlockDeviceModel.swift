internal import Synchronization
internal import VDPAMemory
package import VDPASimulator

/// A virtio-blk device behind a simulated one: a thread that serves queue 0 from a disk in memory,
/// as vdpa_sim's does. It ends with its last reference.
package final class BlockDeviceModel: Sendable {
    /// What becomes of a request whose data cannot be reached: the three devices of the kernel test
    /// VM each do another thing (measured on 6.1.192).
    package enum FaultAnswer: Sendable {
        /// Status 1: vdpa_sim.
        case ioError
        /// Status 0. What is read goes nowhere, and what is written is zeros, because a buffer of
        /// the device's own stands in: QEMU's virtio behind an IOMMU.
        case bounce
        /// No completion, ever: qemu-storage-daemon on VDUSE.
        case silence
    }

    private let disk: Disk
    private let thread: DeviceThread

    /// - Parameter sectorCount: as the device's configuration space says.
    package init(
        _ device: SimulatedDevice, sectorCount: Int, onFault answer: FaultAnswer = .ioError
    ) {
        let disk = Disk(sectorCount: sectorCount, answer)
        self.disk = disk
        thread = DeviceThread(device, queue: 0) { running in
            let queue = Mutex(DeviceQueue(running, 0))
            return {
                queue.withLock { queue in
                    guard queue != nil else { return }
                    while let chain = queue?.next() {
                        if let written = disk.serve(chain, running) {
                            queue?.complete(chain, written: written)
                        }
                    }
                }
            }
        }
    }

    deinit { thread.end() }

    /// How long each request takes.
    package var requestMilliseconds: Int {
        get { disk.pause.withLock { $0 } }
        set { disk.pause.withLock { $0 = newValue } }
    }

    /// Requests served so far.
    package var requestCount: Int { disk.requestCount.withLock { $0 } }

    /// Sectors of the disk, behind the driver's back.
    package func content(sector: Int, count: Int) -> [UInt8] {
        disk.read(512 * sector, 512 * count)
    }
}

/// The disk, and what a request does to it.
private final class Disk: Sendable {
    private let capacity: Int
    /// As far as it was written; zeros behind that.
    private let bytes = Mutex<[UInt8]>([])
    let pause = Mutex(0)
    let requestCount = Mutex(0)
    private let answer: BlockDeviceModel.FaultAnswer

    init(sectorCount: Int, _ answer: BlockDeviceModel.FaultAnswer) {
        capacity = 512 * sectorCount
        self.answer = answer
    }

    func read(_ offset: Int, _ byteCount: Int) -> [UInt8] {
        bytes.withLock { bytes in
            let end = min(offset + byteCount, bytes.count)
            let found = offset < end ? Array(bytes[offset..<end]) : []
            return found + .zeros(byteCount - found.count)
        }
    }

    private func write(_ offset: Int, _ data: [UInt8]) {
        bytes.withLock { bytes in
            let end = offset + data.count
            if end > bytes.count { bytes += .zeros(end - bytes.count) }
            bytes.replaceSubrange(offset..<end, with: data)
        }
    }

    /// - Returns: how many bytes were written to memory, or nil where the request never completes.
    func serve(_ chain: DeviceQueue.Chain, _ device: RunningDevice) -> Int? {
        let milliseconds = pause.withLock { $0 }
        if milliseconds > 0 { Pause.sleep(milliseconds: milliseconds) }
        requestCount.withLock { $0 += 1 }
        guard let first = chain.readable.first, first.byteCount >= 16,
            let header = device.read(first.iova, byteCount: 16, queue: 0),
            let last = chain.writable.last, last.byteCount == 1
        else { return answer == .silence ? nil : 0 }
        let outcome = transfer(
            UInt32(header.integer(0, 4)), sector: header.integer(8, 8),
            reading: Array(chain.readable.dropFirst()), writing: chain.writable.dropLast(),
            device)
        switch outcome {
        case .done(let status, let written):
            device.write([status], at: last.iova, queue: 0)
            return written + 1
        case .fault: return nil
        }
    }

    private enum Outcome {
        case done(status: UInt8, written: Int)
        case fault
    }

    private func transfer(
        _ operation: UInt32, sector: UInt64, reading: [DeviceQueue.Link],
        writing: ArraySlice<DeviceQueue.Link>, _ device: RunningDevice
    ) -> Outcome {
        let links = operation == 1 ? reading[...] : writing
        let total = links.reduce(0) { $0 + $1.byteCount }
        switch operation {
        case 0, 1:
            guard total % 512 == 0, total <= capacity, sector <= UInt64((capacity - total) / 512)
            else { return .done(status: 1, written: 0) }
            return operation == 1
                ? write(reading, at: Int(sector) * 512, device)
                : read(writing, at: Int(sector) * 512, device)
        case 4: return .done(status: 0, written: 0)
        case 8:
            let name = Array("vdpa-memory model".utf8)
            let text = name + [UInt8](repeating: 0, count: 20 - name.count)
            guard let link = writing.first, link.byteCount >= 20,
                device.write(text, at: link.iova, queue: 0)
            else { return faulted() }
            return .done(status: 0, written: 20)
        default: return .done(status: 2, written: 0)
        }
    }

    private func faulted() -> Outcome {
        switch answer {
        case .ioError: .done(status: 1, written: 0)
        case .bounce: .done(status: 0, written: 0)
        case .silence: .fault
        }
    }

    /// From memory to the disk.
    private func write(
        _ links: [DeviceQueue.Link], at offset: Int, _ device: RunningDevice
    ) -> Outcome {
        var next = offset
        for link in links {
            let data = device.read(link.iova, byteCount: link.byteCount, queue: 0)
            guard let data = data ?? (answer == .bounce ? .zeros(link.byteCount) : nil) else {
                return faulted()
            }
            write(next, data)
            next += data.count
        }
        return .done(status: 0, written: 0)
    }

    /// From the disk to memory.
    private func read(
        _ links: ArraySlice<DeviceQueue.Link>, at offset: Int, _ device: RunningDevice
    ) -> Outcome {
        var next = offset
        for link in links {
            let data = read(next, link.byteCount)
            guard device.write(data, at: link.iova, queue: 0) || answer == .bounce else {
                return faulted()
            }
            next += link.byteCount
        }
        return .done(status: 0, written: next - offset)
    }
}

extension [UInt8] {
    fileprivate static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
}
