/// Why an operation on the device file did not happen: what was asked, what the kernel answered,
/// what that means, and what to do about it.
package struct VhostError: Error, Hashable, Sendable {
    /// What a caller can decide on. More codes may come.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        // The kernel refused.
        /// vhost-vdpa never does this, on any kernel or device.
        case refusedByDesign
        /// The running kernel is older than the operation.
        case notInThisKernel
        /// This device, or its driver in the kernel, does not have the operation.
        case notSupported
        /// The calling process is not the one that called SET_OWNER.
        case notOwner
        case busy
        case invalidArgument
        case noSuchQueue
        /// ioctl: the kernel could not read or write the argument.
        case fault
        /// IOTLB: EFAULT, the kernel's one word for every reason.
        case messageRefused
        case badEventDescriptor
        case outOfMemory
        case tooManyRegions
        case notFound
        case notPermitted
        case noDevice
        /// The device's driver, or the process behind it, failed.
        case deviceFailed
        case closed
        case interrupted
        case unexpectedErrno

        // The kernel said something it cannot mean.
        case impossibleAnswer
        case shortWrite

        // Refused here, before any call, because the kernel would do something else in silence.
        case emptyRange
        case rangeWraps
        case rangeNotExpressible
        case notCongruent
        case notPageAligned
        case asidNotNegotiated
        case outOfBounds
    }

    package let code: Code
    package let operation: VhostOperation
    /// What the kernel answered; nil where nothing was asked or the answer was no errno.
    package let errno: Errno?
    /// What happened, with the figures.
    package let explanation: String
    /// What to do about it, one sentence.
    package let remedy: String

    package init(
        _ code: Code, _ operation: VhostOperation, errno: Errno? = nil, explanation: String,
        remedy: String
    ) {
        self.code = code
        self.operation = operation
        self.errno = errno
        self.explanation = explanation
        self.remedy = remedy
    }
}

extension VhostError: CustomStringConvertible {
    package var description: String {
        let cause = errno.map { " answered \($0)" } ?? ""
        return "\(operation.rawValue)\(cause): \(explanation) \(remedy)"
    }
}

extension VhostError {
    /// An answer that the kernel's documentation rules out.
    static func impossible(_ operation: VhostOperation, _ explanation: String) -> VhostError {
        VhostError(
            .impossibleAnswer, operation, explanation: explanation,
            remedy: "Report it with the kernel's version and the device's driver.")
    }
}
