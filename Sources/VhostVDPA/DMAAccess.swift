/// What the device may do with mapped memory, seen from the device: `readOnly` memory is read by
/// the device and written by the CPU.
///
/// The raw values are the kernel's `VHOST_ACCESS_RO`, `_WO` and `_RW` (linux/vhost_types.h). There
/// is no fourth case on purpose: the kernel does not check the field, and a zero reaches the IOMMU
/// code as a `WARN()`.
public enum DMAAccess: UInt8, Sendable, Hashable {
    /// The device may only read: buffers to send, blocks to write, descriptor tables.
    case readOnly = 1
    /// The device may only write. The kernel pins such pages for writing.
    case writeOnly = 2
    /// The device may read and write.
    case readWrite = 3
}
