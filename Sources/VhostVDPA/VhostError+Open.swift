internal import CVhostVDPA

extension VhostError {
    /// open(2) of `/dev/vhost-vdpa-N` (drivers/vhost/vdpa.c, `vhost_vdpa_open`).
    package static func open(_ errno: Errno, path: String) -> VhostError {
        let (code, explanation, remedy): Meaning =
            switch errno.rawValue {
            case ENOENT:
                (
                    .notFound, "there is no \(path).",
                    "Load the vhost_vdpa module and bind the vDPA device to it (vdpa dev show)."
                )
            case EACCES, EPERM:
                (
                    .notPermitted, "the process may not open \(path).",
                    "Give the user read and write permission on the device file (a udev rule)."
                )
            case EBUSY:
                (
                    .busy, "\(path) is open already, and only one opener is allowed at a time.",
                    "Close the other user, or adopt its descriptor; a fork or dup also counts."
                )
            case ENOMEM:
                (.outOfMemory, "the kernel has no memory left.", "Free memory and try again.")
            case Errno.kernelNotSupported.rawValue:
                (
                    .notSupported, "the device's IOMMU is not cache-coherent.",
                    "Use a device behind a cache-coherent IOMMU."
                )
            case EIO, ENODEV, ENXIO:
                (
                    .deviceFailed, "the device is gone, or the process behind it failed.",
                    "Look at the kernel log; restart the VDUSE daemon if there is one."
                )
            default:
                (
                    .unexpectedErrno, "opening \(path) failed.",
                    "Look at the kernel log for the vDPA device's driver."
                )
            }
        return VhostError(code, .open, errno: errno, explanation: explanation, remedy: remedy)
    }

    typealias Meaning = (code: Code, explanation: String, remedy: String)
}
