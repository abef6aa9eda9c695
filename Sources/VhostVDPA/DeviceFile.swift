/// The seam: everything this library ever asks of a vhost-vdpa device file.
///
/// Above it nothing knows whether a kernel or a simulator answers. An implementation answers in
/// the kernel's way: a value that is not negative, or the negative of an errno.
///
/// Calls may come from any thread. The kernel serialises them with the device's mutex
/// (drivers/vhost/vdpa.c); an implementation must give the same guarantee.
package protocol DeviceFile: AnyObject, Sendable {
    /// ioctl(2). `argument` points to the request's structure; nil where it takes none.
    func ioctl(_ request: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32

    /// write(2): exactly one IOTLB message. Answers 72, or the negative of an errno.
    func write(_ bytes: UnsafeRawBufferPointer) -> Int

    /// close(2). Further calls answer `-EBADF`; closing twice answers `-EBADF` and does no harm.
    @discardableResult
    func close() -> Int32
}
