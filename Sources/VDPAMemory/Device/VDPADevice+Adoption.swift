internal import Glibc
package import VhostVDPA

// A device that somebody else opened. A vhost-vdpa file can be opened only once, so a launcher or a
// VMM that holds it already hands its descriptor over.

extension VDPADevice {
    /// Adopts an open descriptor of `/dev/vhost-vdpa-N`, with the device in any state but running.
    ///
    /// - The descriptor becomes this object's, close-on-exec, and is closed with it. With
    ///   `duplicating` this object makes a second one, and the caller closes the first as it likes;
    ///   the kernel resets the device and unpins its memory when both are closed.
    /// - This process becomes the device's owner. If it was before, that is fine; if another
    ///   process is, it is not.
    /// - Backend features are acknowledged anew, and everything is unmapped in every address space,
    ///   since nobody can read what is mapped.
    /// - Queue sizes, ring addresses, groups and features that were set before are unknown to this
    ///   object: set them again, or reset the device.
    ///
    /// System calls: fcntl(2), fstat(2), GET_DEVICE_ID, GET_STATUS, SET_OWNER (and
    /// GET_VRING_GROUP, if there is an owner), GET_ and SET_BACKEND_FEATURES, GET_IOVA_RANGE,
    /// GET_AS_NUM, then four messages and a BATCH_END for each address space; sysfs.
    ///
    /// - Important: on Linux 5.19 to 6.1 without e794070af224 a platform-IOMMU device whose table
    ///   is not empty can crash the kernel when it is unmapped at once. Unmap it first there.
    /// - Throws: **on any failure the descriptor stays the caller's**, open and with its flags as
    ///   they were. `invalidArgument` if it is closed, cannot be written to, or is not a vhost-vdpa
    ///   device; `deviceUnavailable` if the device is running (DRIVER_OK); `notOwner` if another
    ///   process owns it; `deviceGone`; `kernelRefused` if the table could not be emptied. What
    ///   had succeeded before that stays done: ownership, backend features, unmapping.
    public convenience init(
        adopting descriptor: Int32, duplicating: Bool = false
    ) throws(DMAError) {
        try VDPADevice.requireWritable(descriptor)
        let numbers = CharacterDevice.numbers(descriptor: descriptor)
        let traits = DeviceTraits.ofMachine(
            name: VDPADevice.path(of: descriptor), major: numbers.major, minor: numbers.minor)
        guard !duplicating else {
            switch KernelDeviceFile.duplicate(descriptor) {
            case .success(let file): try self.init(adopting: file, traits: traits)
            case .failure(let errno):
                throw DMAError(
                    .deviceUnavailable, "Descriptor \(descriptor) cannot be duplicated.",
                    remedy: "Close descriptors, or raise RLIMIT_NOFILE.", errno: errno.rawValue)
            }
            return
        }
        let file = LentDeviceFile(descriptor)
        let result = try Negotiation.adopted(file)
        file.keep()
        self.init(result, traits: traits)
    }

    /// Adopts an open file, which this object closes, on failure too.
    package convenience init(
        adopting file: any DeviceFile, traits: DeviceTraits
    ) throws(DMAError) {
        self.init(try Negotiation.adopted(file), traits: traits)
    }

    /// Messages are written: a descriptor for reading only would answer EBADF to each.
    private static func requireWritable(_ descriptor: Int32) throws(DMAError) {
        switch KernelDeviceFile.isWritable(descriptor) {
        case .success(true): return
        case .success(false):
            throw DMAError(
                .invalidArgument, "Descriptor \(descriptor) is open for reading only.",
                remedy: "Open the device with O_RDWR.")
        case .failure(let errno):
            throw DMAError(
                .invalidArgument, "Descriptor \(descriptor) is not open.",
                remedy: "Pass the open descriptor of a vhost-vdpa device.", errno: errno.rawValue)
        }
    }

    /// What /proc says the descriptor is, for messages.
    private static func path(of descriptor: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        // Safe: readlink writes at most the buffer's size, and the answer is its length.
        let length = unsafe readlink("/proc/self/fd/\(descriptor)", &buffer, buffer.count)
        guard length > 0 else { return "descriptor \(descriptor)" }
        return String(decoding: buffer[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
