internal import CVhostVDPA

extension VhostError {
    /// ioctl(2) on a vhost-vdpa file. What an errno means depends on the request; where the
    /// request has no meaning of its own for it, the general one holds.
    package static func ioctl(_ operation: VhostOperation, _ errno: Errno) -> VhostError {
        let (code, explanation, remedy) =
            refusedByDesign(operation, errno) ?? missing(operation, errno)
            ?? ofDevice(operation, errno) ?? ofVring(operation, errno) ?? ofGroup(operation, errno)
            ?? general(errno)
        return VhostError(code, operation, errno: errno, explanation: explanation, remedy: remedy)
    }

    /// Three requests of the vhost interface that vhost-vdpa does not implement. The errno is an
    /// accident of the way (RESET_OWNER's missing argument is read as a queue index: EFAULT), so
    /// any errno but those about the descriptor and the call itself means the same.
    private static func refusedByDesign(_ operation: VhostOperation, _ errno: Errno) -> Meaning? {
        guard errno != .badDescriptor, errno != .interrupted else { return nil }
        switch operation {
        case .resetOwner:
            return (
                .refusedByDesign, "vhost-vdpa cannot give up its owner.",
                "Close the device file; the next opener starts without an owner."
            )
        case .setLogBase, .setLogFD:
            return (
                .refusedByDesign, "vhost-vdpa has no log of dirty pages.",
                "Track writes in the driver, or shadow the virtqueues, to migrate a device."
            )
        default: return nil
        }
    }

    /// A request the kernel does not know falls through to code that checks the owner (EPERM),
    /// reads a queue index from the argument (EFAULT where there is none, ENOBUFS) and then says
    /// ENOTTY. So for a request that needs neither owner nor queue all four mean the same.
    private static func missing(_ operation: VhostOperation, _ errno: Errno) -> Meaning? {
        let hasNoArgument = operation == .suspend || operation == .resume
        let isMissing =
            switch errno {
            case .notTypewriter: true
            case .notOwner, .noSuchQueue: !operation.requiresOwner
            case .fault: hasNoArgument
            default: false
            }
        guard isMissing else { return nil }
        if operation == .setOwner {
            return (
                .notInThisKernel, "the file is no vhost-vdpa device, which Linux 5.7 brought.",
                "Name a device file such as /dev/vhost-vdpa-0; a plain file may stand in its place."
            )
        }
        if operation == .getIOVARange {
            return (
                .notInThisKernel,
                "the kernel does not report the device's IOVA range; that came with Linux 5.11.",
                "Run Linux 5.19 or later: without the range every address would be a guess."
            )
        }
        return (
            .notInThisKernel,
            "the running kernel does not have this; it came with Linux \(operation.arrived).",
            "Run a newer kernel, or do without it."
        )
    }

    private static func general(_ errno: Errno) -> Meaning {
        switch errno {
        case .notOwner:
            (
                .notOwner, "no owner is set, or the calling process is not the owner.",
                "Call SET_OWNER first, and use the device from that process only: not after fork."
            )
        case .noSuchQueue:
            (
                .noSuchQueue, "the index is not below the device's number of queues.",
                "Ask for the number of queues (GET_VQS_COUNT) and stay below it."
            )
        case .fault:
            (
                .fault, "the kernel could not read or write the argument.",
                "Report it: this library passes memory of its own."
            )
        case .badDescriptor:
            (
                .closed, "the device file is closed.",
                "Keep the device alive as long as it is in use."
            )
        case .interrupted:
            (
                .interrupted, "signals interrupted the call again and again.",
                "Block the signal on this thread, or install its handler with SA_RESTART."
            )
        case .notSupported, .kernelNotSupported:
            (
                .notSupported, "the device's driver in the kernel does not implement this.",
                "Do without it on this device."
            )
        case .invalid:
            (
                .invalidArgument, "the device's driver does not accept the value.",
                "Compare the value with what the device reports."
            )
        case .noMemory:
            (.outOfMemory, "the kernel has no memory left.", "Free memory and try again.")
        case .busy:
            (
                .busy, "the device is in a state that does not allow this.",
                "Reset the device (status 0) or do it earlier."
            )
        case .ioError, .noDevice, Errno(ENXIO), Errno(ETIMEDOUT):
            (
                .deviceFailed, "the device's driver, or the process behind it, failed.",
                "Look at the kernel log; restart the VDUSE daemon if there is one."
            )
        default:
            (
                .unexpectedErrno, "the kernel gave an answer that is not documented here.",
                "Look at the kernel log for the vDPA device's driver."
            )
        }
    }
}
