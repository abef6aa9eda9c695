internal import Glibc

/// The numbers of a character device: its name in sysfs.
enum CharacterDevice {
    /// stat(2) of a path; 0:0 where there is none.
    static func numbers(path: String) -> (major: UInt32, minor: UInt32) {
        var status = stat()
        // Safe: stat fills the structure, and only reads the path.
        guard unsafe stat(path, &status) == 0 else { return (0, 0) }
        return numbers(status.st_rdev)
    }

    /// fstat(2) of a descriptor; 0:0 where it is none.
    static func numbers(descriptor: Int32) -> (major: UInt32, minor: UInt32) {
        var status = stat()
        // Safe: fstat fills the structure.
        guard unsafe fstat(descriptor, &status) == 0 else { return (0, 0) }
        return numbers(status.st_rdev)
    }

    /// glibc's encoding of dev_t (sys/sysmacros.h), whose macros Swift does not import.
    private static func numbers(_ device: dev_t) -> (major: UInt32, minor: UInt32) {
        let value = UInt64(device)
        let major = (value >> 8 & 0xfff) | (value >> 32 & ~0xfff)
        let minor = (value & 0xff) | (value >> 12 & ~0xff)
        return (UInt32(truncatingIfNeeded: major), UInt32(truncatingIfNeeded: minor))
    }
}
