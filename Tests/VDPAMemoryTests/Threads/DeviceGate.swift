import Foundation

/// Whether the device runs: its threads pass together, and whoever stops it waits until they have
/// all left, as a driver stops its queues before a reset.
final class DeviceGate: @unchecked Sendable {
    // Safe to send: everything behind the condition's lock.
    private let condition = NSCondition()
    private var running = 0
    private var isStopped = false

    /// An access of the device; waits while it is stopped.
    func pass<R>(_ body: () throws -> R) rethrows -> R {
        condition.withLock {
            while isStopped { condition.wait() }
            running += 1
        }
        defer {
            condition.withLock {
                running -= 1
                condition.broadcast()
            }
        }
        return try body()
    }

    /// With no access under way and none to come.
    func stop<R>(_ body: () throws -> R) rethrows -> R {
        condition.withLock {
            while isStopped { condition.wait() }
            isStopped = true
            while running > 0 { condition.wait() }
        }
        defer {
            condition.withLock {
                isStopped = false
                condition.broadcast()
            }
        }
        return try body()
    }
}
