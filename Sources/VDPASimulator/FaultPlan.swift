/// A step of the simulated kernel that can be made to fail, counted from 1 since the device was
/// made.
public enum FaultPoint: Hashable, Sendable {
    /// Any ioctl or write.
    case call
    case ioctl
    case write
    /// The write of an UPDATE message.
    case update
    /// Pinning the pages of an UPDATE. The message answers EFAULT and nothing is left.
    case pin
    /// The parent's `dma_map`, `iommu_map` or unbatched `set_map` of one entry. The message answers
    /// EFAULT and nothing is left.
    case parentMap
    /// The parent's `set_map` at BATCH_END. Invisible, as in the kernel: the message answers 72 and
    /// the device's table is empty.
    case batchEndSetMap
}

/// Which steps fail, how slow they are, and how often each was passed.
struct FaultPlan {
    private var failures: [FaultPoint: [Int: Int32]] = [:]
    private(set) var counts: [FaultPoint: Int] = [:]
    var latency: Duration = .zero
    var isDeviceGone = false
    var deviceGoneFromCall: Int?

    mutating func fail(_ point: FaultPoint, number: Int, errno: Int32) {
        failures[point, default: [:]][number] = errno
    }

    mutating func clear() {
        failures = [:]
        latency = .zero
        deviceGoneFromCall = nil
        isDeviceGone = false
    }

    /// Counts a step and answers the errno it must fail with, or nil.
    mutating func pass(_ point: FaultPoint) -> Int32? {
        let number = counts[point, default: 0] + 1
        counts[point] = number
        return failures[point]?[number]
    }
}
