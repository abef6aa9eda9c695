internal import IOVAAllocator

extension VhostError {
    /// write(2) of one IOTLB message (drivers/vhost/vhost.c, `vhost_chr_write_iter`). EFAULT is
    /// all the kernel says whatever the reason, so the explanation lists the reasons in the order
    /// of the kernel's checks.
    package static func write(_ message: IOTLBMessage, _ errno: Errno) -> VhostError {
        let (code, explanation, remedy): Meaning =
            switch errno {
            case .fault: refused(message)
            case .invalid:
                (
                    .invalidArgument, "the kernel did not take \(message) for a valid message.",
                    "Report it: this library sends no message that is malformed or of size 0."
                )
            case .badDescriptor:
                (
                    .closed, "the device file is closed.",
                    "Keep the device alive as long as it is in use."
                )
            case .interrupted:
                (
                    .interrupted, "signals interrupted \(message) again and again.",
                    "Block the signal on this thread, or install its handler with SA_RESTART."
                )
            default:
                (
                    .unexpectedErrno, "the kernel gave an undocumented answer to \(message).",
                    "Look at the kernel log for the vDPA device's driver."
                )
            }
        return VhostError(
            code, message.operation, errno: errno, explanation: explanation, remedy: remedy)
    }

    private static func refused(_ message: IOTLBMessage) -> Meaning {
        let everyMessage =
            "the process is not the owner, ASID \(message.asid) does not exist, or a batch is "
            + "open for another ASID"
        switch message {
        case .update:
            return (
                .messageRefused,
                "the kernel refused \(message) and never says why: \(everyMessage); the range "
                    + "leaves the device's IOVA range or touches an existing mapping; the memory "
                    + "is not mapped in this process; the table is full (max_iotlb_entries of the "
                    + "vhost_vdpa module) or RLIMIT_MEMLOCK is used up (VmPin).",
                "Check these in this order; the kernel log says more for some devices."
            )
        case .invalidate, .batchEnd:
            return (
                .messageRefused,
                "the kernel refused \(message) and never says why: \(everyMessage), or nothing "
                    + "was ever mapped in this address space, or (Linux 5.19 to 6.3) nothing is.",
                "Send BATCH_BEGIN first: it creates the address space."
            )
        case .batchBegin:
            return (
                .messageRefused, "the kernel refused \(message): \(everyMessage).",
                "Call SET_OWNER first, stay below GET_AS_NUM and end the other batch."
            )
        }
    }

    /// [0, 2^64-1] in one message.
    static func notExpressible(_ range: IOVARange, _ operation: VhostOperation) -> VhostError {
        VhostError(
            .rangeNotExpressible, operation,
            explanation: "the range \(range) has 2^64 bytes, one more than a message can say.",
            remedy: "Use two ranges of 2^63 bytes; to unmap everything there is unmapEverything.")
    }
}
