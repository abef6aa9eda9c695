public import IOVAAllocator

/// The device between DRIVER_OK and the next reset: what a model of it, in a thread of the test's
/// own, works with.
///
/// A reset ends it: from then on nothing is read or written, and nothing recorded as a fault, as a
/// device that was reset makes no more accesses. Thread-safe, as the simulator is.
public struct RunningDevice: Sendable {
    private let device: SimulatedDevice
    private let resetCount: Int

    init?(_ device: SimulatedDevice) {
        let count = device.withState { state in
            state.isRunning && !state.isSuspended && !state.plan.isDeviceGone
                ? state.resetCount : nil
        }
        guard let count else { return nil }
        self.device = device
        resetCount = count
    }

    private func whileRunning<Answer: Sendable>(
        _ body: (inout DeviceState) -> Answer?
    ) -> Answer? {
        device.withState { state in
            guard state.resetCount == resetCount, !state.plan.isDeviceGone else { return nil }
            return body(&state)
        }
    }

    /// Whether the device has not been reset, suspended or taken away since.
    public var isRunning: Bool { whileRunning { state in state.isSuspended ? nil : true } ?? false }

    /// The virtio features that the driver accepted.
    public var driverFeatures: UInt64 { whileRunning { state in state.driverFeatures } ?? 0 }

    /// A queue that is enabled, and has a size; nil otherwise.
    public func ring(_ queue: Int) -> SimulatedRing? {
        whileRunning { state in
            guard state.rings.indices.contains(queue) else { return nil }
            let ring = state.rings[queue]
            return ring.isEnabled && ring.size > 0 ? ring : nil
        }
    }

    /// Moves the index that GET_VRING_BASE reports.
    public func setAvailableIndex(_ index: UInt16, ofQueue queue: Int) {
        _ = whileRunning { state in state.rings[queue].availableIndex = index }
    }

    /// Reads through the translation of a queue's address space; see `SimulatedDevice.read`.
    public func read(_ iova: IOVA, byteCount: Int, queue: Int) -> [UInt8]? {
        whileRunning { state in
            state.dmaRead(iova, byteCount: byteCount, space: state.addressSpace(ofQueue: queue))
        }
    }

    /// Writes through the translation of a queue's address space; see `SimulatedDevice.write`.
    @discardableResult
    public func write(_ bytes: [UInt8], at iova: IOVA, queue: Int) -> Bool {
        whileRunning { state in
            state.dmaWrite(bytes, iova, space: state.addressSpace(ofQueue: queue))
        } ?? false
    }

    /// Signals a queue's call descriptor; false where none is bound, or the device was reset.
    @discardableResult
    public func interrupt(queue: Int) -> Bool {
        whileRunning { state in state.events[queue].call?.signal() } ?? false
    }

    /// Sleeps until a queue is kicked, and takes the kick.
    ///
    /// - Returns: whether it was kicked in time.
    public func awaitKick(queue: Int, milliseconds: Int) -> Bool {
        // Waited for with no lock held: the reference keeps the event open.
        guard let kick = whileRunning({ state in state.events[queue].kick }) else { return false }
        return kick.await(milliseconds: milliseconds)
    }
}

extension SimulatedDevice {
    /// The device while it runs; nil before DRIVER_OK and while it is suspended or gone.
    public var running: RunningDevice? { RunningDevice(self) }
}
