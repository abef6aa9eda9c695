internal import Synchronization

/// How many messages a channel's kernel has taken, by kind.
package struct IOTLBMessageCounts: Hashable, Sendable {
    package var updates: UInt64 = 0
    package var invalidates: UInt64 = 0
    package var batchBegins: UInt64 = 0
    package var batchEnds: UInt64 = 0
    /// Messages that the kernel did not take, of any kind.
    package var refused: UInt64 = 0

    /// All that were taken.
    package var total: UInt64 { updates + invalidates + batchBegins + batchEnds }

    package init(
        updates: UInt64 = 0, invalidates: UInt64 = 0, batchBegins: UInt64 = 0,
        batchEnds: UInt64 = 0, refused: UInt64 = 0
    ) {
        self.updates = updates
        self.invalidates = invalidates
        self.batchBegins = batchBegins
        self.batchEnds = batchEnds
        self.refused = refused
    }
}

/// The counters behind `IOTLBMessageCounts`. Relaxed: each is right, together they are a snapshot
/// only while nobody sends.
struct IOTLBCounters: ~Copyable, Sendable {
    private let updates = Atomic<UInt64>(0)
    private let invalidates = Atomic<UInt64>(0)
    private let batchBegins = Atomic<UInt64>(0)
    private let batchEnds = Atomic<UInt64>(0)
    private let refused = Atomic<UInt64>(0)

    func countTaken(_ message: IOTLBMessage) {
        switch message {
        case .update: updates.wrappingAdd(1, ordering: .relaxed)
        case .invalidate: invalidates.wrappingAdd(1, ordering: .relaxed)
        case .batchBegin: batchBegins.wrappingAdd(1, ordering: .relaxed)
        case .batchEnd: batchEnds.wrappingAdd(1, ordering: .relaxed)
        }
    }

    func countRefused() { refused.wrappingAdd(1, ordering: .relaxed) }

    var counts: IOTLBMessageCounts {
        IOTLBMessageCounts(
            updates: updates.load(ordering: .relaxed),
            invalidates: invalidates.load(ordering: .relaxed),
            batchBegins: batchBegins.load(ordering: .relaxed),
            batchEnds: batchEnds.load(ordering: .relaxed), refused: refused.load(ordering: .relaxed)
        )
    }
}
