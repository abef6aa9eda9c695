internal import CVhostVDPA
internal import Glibc
internal import VhostVDPA

/// One open file of a simulated device. Its last reference closes it, as a descriptor's owner does.
package final class SimulatedDeviceFile: DeviceFile {
    private let device: SimulatedDevice
    private let openNumber: Int

    init(_ device: SimulatedDevice, openNumber: Int) {
        self.device = device
        self.openNumber = openNumber
    }

    deinit { close() }

    package func ioctl(_ request: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
        let process = SimulatedDevice.process
        let address = UInt(bitPattern: argument)
        return device.withState { state in
            guard state.isOpen, state.openNumber == openNumber else { return -EBADF }
            if let errno = state.passCall(.ioctl) { return -errno }
            return state.ioctl(request, address, process: process)
        }
    }

    package func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        let process = SimulatedDevice.process
        // Safe: the caller's buffer outlives the call, and is only read.
        let message = unsafe [UInt8](bytes)
        return device.withState { state in
            guard state.isOpen, state.openNumber == openNumber else { return Int(-EBADF) }
            if let errno = state.passCall(.write) { return Int(-errno) }
            return state.write(message, process: process)
        }
    }

    @discardableResult
    package func close() -> Int32 {
        device.withState { state in
            guard state.isOpen, state.openNumber == openNumber else { return -EBADF }
            state.close()
            return 0
        }
    }
}

extension DeviceState {
    /// Counts an ioctl or a write and answers the errno that the fault plan has for it.
    fileprivate mutating func passCall(_ point: FaultPoint) -> Int32? {
        let ofAll = plan.pass(.call)
        let ofItsKind = plan.pass(point)
        if plan.latency > .zero {
            // The kernel holds the device's mutex during a call, so that others wait as well.
            let (seconds, attoseconds) = plan.latency.components
            var time = timespec(
                tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
            // Safe: nanosleep reads `time`; what an interruption leaves is not wanted.
            _ = unsafe nanosleep(&time, nil)
        }
        if let first = plan.deviceGoneFromCall, plan.counts[.call, default: 0] >= first {
            plan.isDeviceGone = true
        }
        return plan.isDeviceGone ? ENODEV : ofAll ?? ofItsKind
    }
}
