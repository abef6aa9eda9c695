/// How the buffers of a pool lie in its regions, and how threads share them.
public struct DMABufferPoolOptions: Sendable {
    /// Whether misuse is caught. It costs each `take` and `give` a lock and a pass over the buffer.
    public enum Checks: Sendable {
        /// On where the library was built for debugging, as the application is then.
        case automatic
        /// Giving a buffer twice, giving what is no buffer of the pool, and writing to a buffer
        /// after it was given back end the process, with a message that names the buffer.
        ///
        /// What is free is filled with a pattern: regions of memory that this process may only
        /// read cannot have checks.
        case on
        case off
    }

    /// In bytes, a power of two: every buffer's address and IOVA are multiples of it.
    public var alignment: Int
    /// Bytes in front of each buffer's address that belong to it, too: for a header that is put
    /// before data in place. The device may reach them.
    public var headroom: Int
    /// The buffers of one of a thread's two magazines. A pool of fewer than sixteen times as many
    /// has smaller ones, and one of fewer than 16 buffers none.
    public var cacheCapacity: Int
    /// Raises the low-water flag also when so few buffers are left in the depot.
    public var lowWaterMark: Int
    /// Whether misuse is caught.
    public var checks: Checks

    /// The defaults: whole cache lines, no head-room, 64 buffers a magazine, no mark.
    public init(
        alignment: Int = 64, headroom: Int = 0, cacheCapacity: Int = 64, lowWaterMark: Int = 0,
        checks: Checks = .automatic
    ) {
        self.alignment = alignment
        self.headroom = headroom
        self.cacheCapacity = cacheCapacity
        self.lowWaterMark = lowWaterMark
        self.checks = checks
    }

    var areChecksOn: Bool {
        switch checks {
        case .on: true
        case .off: false
        case .automatic:
            #if DEBUG
                true
            #else
                false
            #endif
        }
    }
}
