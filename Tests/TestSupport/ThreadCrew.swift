internal import Foundation

/// Threads that live as long as the crew and run what they are given, one after the other or all
/// at once: each keeps its thread-local state from one run to the next.
package final class ThreadCrew: Sendable {
    private let workers: [Worker]

    package var count: Int { workers.count }

    package init(count: Int) {
        workers = (0..<count).map { _ in Worker() }
    }

    /// Runs `body` on one thread and waits for its end.
    package func run<R, E: Error>(on index: Int, _ body: () throws(E) -> R) throws(E) -> R {
        var result: Result<R, E>?
        func job() {
            do throws(E) { result = .success(try body()) } catch { result = .failure(error) }
        }
        withoutActuallyEscaping(job) { job in
            // The caller waits: the closure is used by one thread at a time and outlives its use.
            nonisolated(unsafe) let job = job
            workers[index].start { unsafe job() }
            workers[index].wait()
        }
        // Set by the closure, which has run.
        return try result!.get()
    }

    /// Runs `body` on all threads at once, with each one's number, and waits for all.
    package func runAll(_ body: @escaping @Sendable (Int) -> Void) {
        for (index, worker) in workers.enumerated() { worker.start { body(index) } }
        for worker in workers { worker.wait() }
    }

    /// Lets others run: for who waits without sleeping on a machine of few processors.
    package static func giveWay() { sched_yield() }

    /// Ends the threads and waits until they are gone, thread-specific data destroyed and all.
    package func end() {
        for worker in workers { worker.end() }
    }
}

/// A value behind a lock. Not `Mutex`: ThreadSanitizer cannot see what the kernel writes into that
/// one's word, and reports races where there are none.
package final class Guarded<Value: Sendable>: @unchecked Sendable {
    // Safe to send: the value is only touched with the lock held.
    private let lock = NSLock()
    private var value: Value

    package init(_ value: Value) { self.value = value }

    package func withLock<R>(_ body: (inout Value) throws -> R) rethrows -> R {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}

/// One thread and its letter box.
private final class Worker: @unchecked Sendable {
    // Safe to send: everything behind the condition's lock, the thread set before anybody sees it.
    private let condition = NSCondition()
    private var job: (@Sendable () -> Void)?
    private var isEnding = false
    private var thread = pthread_t()

    init() {
        let box = unsafe Unmanaged.passRetained(self)
        let failure = unsafe pthread_create(
            &thread, nil,
            { @Sendable raw in
                // The reference that the creator has passed on.
                guard let raw = unsafe raw else { fatalError("a thread starts with its worker") }
                unsafe Unmanaged<Worker>.fromOpaque(raw).takeRetainedValue().work()
                return nil
            }, unsafe box.toOpaque())
        precondition(failure == 0, "no thread: error \(failure)")
    }

    private func work() {
        condition.lock()
        while true {
            while job == nil && !isEnding { condition.wait() }
            guard let next = job else { break }
            condition.unlock()
            next()
            condition.lock()
            job = nil
            condition.broadcast()
        }
        condition.unlock()
    }

    func start(_ next: @escaping @Sendable () -> Void) {
        condition.withLock {
            precondition(job == nil && !isEnding, "one job at a time, and none after the end")
            job = next
            condition.broadcast()
        }
    }

    func wait() {
        condition.withLock {
            while job != nil { condition.wait() }
        }
    }

    func end() {
        condition.withLock {
            isEnding = true
            condition.broadcast()
        }
        pthread_join(thread, nil)
    }
}
