internal import Glibc
package import HostMemory
package import VDPAMemory

/// The machine as sysfs, procfs and the device files tell: nothing is changed by looking.
public struct Machine: Sendable {
    let topology: HostTopology
    /// Where device files are: `/dev`.
    let devices: String
    /// Where each kernel's modules are: `/lib/modules`.
    let modules: String
    let pageByteCount: Int
    /// What a device file is, and what this process may do with it.
    let inspect: @Sendable (String) -> NodeStatus?
    /// Opens a device, which resets it.
    let open: @Sendable (String) throws(DMAError) -> VDPADevice

    /// This machine.
    public init() {
        self.init(topology: HostTopology())
    }

    /// - Parameters: what a test replaces by folders and devices of its own.
    package init(
        topology: HostTopology, devices: String = "/dev", modules: String = "/lib/modules",
        pageByteCount: Int = Int(sysconf(Int32(_SC_PAGESIZE))),
        inspect: @escaping @Sendable (String) -> NodeStatus? = { NodeStatus(path: $0) },
        open: @escaping @Sendable (String) throws(DMAError) -> VDPADevice = {
            path throws(DMAError) in try VDPADevice(path: path)
        }
    ) {
        self.topology = topology
        self.devices = devices
        self.modules = modules
        self.pageByteCount = pageByteCount
        self.inspect = inspect
        self.open = open
    }

    var sysfs: String { topology.sysfs }
    var procfs: String { topology.procfs }

    /// The device files of vhost-vdpa, in the order of their numbers.
    public var devicePaths: [String] {
        let names = Folder.names(in: devices) ?? []
        let numbered = names.compactMap { name -> (Int, String)? in
            guard name.hasPrefix("vhost-vdpa-") else { return nil }
            return Int(name.dropFirst(11)).map { ($0, name) }
        }
        return numbered.sorted { $0.0 < $1.0 }.map { "\(devices)/\($0.1)" }
    }

    /// The device that a user names by a path or by the last part of it.
    func path(of name: String) -> String { name.contains("/") ? name : "\(devices)/\(name)" }
}

/// What stat(2) and access(2) tell about a device file.
package struct NodeStatus: Hashable, Sendable {
    package var isCharacterDevice: Bool
    package var major: UInt32
    package var minor: UInt32
    /// The file's permissions and owners.
    package var mode: UInt32
    package var user: UInt32
    package var group: UInt32
    /// Whether this process may open it for reading and writing.
    package var isAllowed: Bool

    package init(
        major: UInt32, minor: UInt32, isCharacterDevice: Bool = true, mode: UInt32 = 0o600,
        user: UInt32 = 0, group: UInt32 = 0, isAllowed: Bool = true
    ) {
        self.isCharacterDevice = isCharacterDevice
        self.major = major
        self.minor = minor
        self.mode = mode
        self.user = user
        self.group = group
        self.isAllowed = isAllowed
    }

    /// nil where there is no such file.
    init?(path: String) {
        var status = stat()
        // Safe: stat fills the structure, and only reads the path.
        guard unsafe stat(path, &status) == 0 else { return nil }
        let device = UInt64(status.st_rdev)
        // glibc's encoding of dev_t (sys/sysmacros.h), whose macros Swift does not import.
        major = UInt32(truncatingIfNeeded: (device >> 8 & 0xfff) | (device >> 32 & ~0xfff))
        minor = UInt32(truncatingIfNeeded: (device & 0xff) | (device >> 12 & ~0xff))
        isCharacterDevice = status.st_mode & S_IFMT == S_IFCHR
        mode = status.st_mode & 0o7777
        user = status.st_uid
        group = status.st_gid
        // Safe: only reads the path.
        isAllowed = unsafe faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0
    }
}
