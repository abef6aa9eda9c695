internal import CBenchmark
internal import Foundation

/// A thread on a processor of its own, which sleeps between its jobs.
final class PinnedThread: @unchecked Sendable {
    // Safe to send: `job` is written before one semaphore is signalled and read after; the other
    // one tells the way back.
    private let given = DispatchSemaphore(value: 0)
    private let done = DispatchSemaphore(value: 0)
    private var job: (@Sendable () -> Void)?

    init(processor: UInt32) {
        Thread { [self] in
            // Without it the figures are noisier, not wrong.
            _ = cbench_pin_thread(processor)
            while true {
                given.wait()
                guard let job else { break }
                job()
                done.signal()
            }
            done.signal()
        }.start()
    }

    func start(_ work: @escaping @Sendable () -> Void) {
        job = work
        given.signal()
    }

    func wait() { done.wait() }

    /// Ends the thread.
    func end() {
        job = nil
        given.signal()
        done.wait()
    }
}
