internal import Foundation
internal import Synchronization
internal import VDPASimulator

/// The thread of a device model: whenever the device runs and a queue was kicked, `serve` is
/// called.
final class DeviceThread: Sendable {
    private let isEnding = Mutex(false)
    private let hasEnded = DispatchSemaphore(value: 0)

    /// - Parameter serve: serves queues of the running device until they are empty.
    init(
        _ device: SimulatedDevice, queue: Int,
        serve: @escaping @Sendable (RunningDevice) -> @Sendable () -> Void
    ) {
        let isEnded = { @Sendable [weak self] in self?.isEnding.withLock { $0 } ?? true }
        let hasEnded = hasEnded
        let thread = Thread {
            while !isEnded() {
                guard let running = device.running, running.ring(queue) != nil else {
                    Thread.sleep(forTimeInterval: 0.001)
                    continue
                }
                let serveQueues = serve(running)
                while running.isRunning, !isEnded() {
                    serveQueues()
                    // A kick may have come before the driver's queue was seen to run.
                    _ = running.awaitKick(queue: queue, milliseconds: 10)
                }
            }
            hasEnded.signal()
        }
        thread.name = "device model"
        thread.start()
    }

    /// Ends the thread and waits until it has.
    func end() {
        isEnding.withLock { $0 = true }
        hasEnded.wait()
    }
}
