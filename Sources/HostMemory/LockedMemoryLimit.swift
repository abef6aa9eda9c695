internal import CNUMA

/// The process's limit on locked memory, and what of it is used by pinned memory. vhost-vdpa
/// charges each mapping against it, once per device and address space (drivers/vhost/vdpa.c,
/// vhost_vdpa_pa_map).
package struct LockedMemoryLimit: Hashable, Sendable {
    /// RLIMIT_MEMLOCK's soft value in bytes, the one that binds; `unlimited` for no limit.
    package let soft: UInt64
    /// What the soft value can be raised to without privilege, in bytes.
    package let hard: UInt64
    /// Bytes pinned now: VmPin of /proc/self/status, a multiple of 1 KiB.
    package let pinned: UInt64

    package static let unlimited = UInt64.max

    /// The bytes that can still be pinned.
    package var remaining: UInt64 {
        if soft == LockedMemoryLimit.unlimited { return soft }
        return soft > pinned ? soft - pinned : 0
    }

    /// getrlimit(2) and /proc/self/status.
    package static func read(
        topology: HostTopology = HostTopology(), system: SystemCalls = SystemCalls()
    ) throws(HostMemoryError) -> LockedMemoryLimit {
        let (result, soft, hard) = system.memlockLimit()
        guard result >= 0 else { throw HostMemoryError(.readLimit, result) }
        var pinned: Int?
        let status = system.forEachLine(.readStatus, of: topology.procfs + "/self/status") { line in
            pinned = TextFile.byteCount(of: "VmPin", in: line)
            return pinned == nil
        }
        guard status >= 0, let pinned else {
            throw HostMemoryError(.readStatus, status < 0 ? status : -EIO)
        }
        return LockedMemoryLimit(soft: soft, hard: hard, pinned: UInt64(pinned))
    }

    /// The soft limit alone, in bytes: getrlimit(2), without a look at /proc/self/status, which
    /// costs more than mapping does.
    package static func softLimit(
        system: SystemCalls = SystemCalls()
    ) throws(HostMemoryError) -> UInt64 {
        let (result, soft, _) = system.memlockLimit()
        guard result >= 0 else { throw HostMemoryError(.readLimit, result) }
        return soft
    }

    /// Raises the soft limit of the whole process to the hard one: setrlimit(2).
    ///
    /// - Returns: the limit afterwards.
    @discardableResult
    package static func raiseSoftToHard(
        topology: HostTopology = HostTopology(), system: SystemCalls = SystemCalls()
    ) throws(HostMemoryError) -> LockedMemoryLimit {
        let now = try read(topology: topology, system: system)
        if now.soft != now.hard {
            let result = system.setMemlockLimit(soft: now.hard, hard: now.hard)
            guard result >= 0 else { throw HostMemoryError(.setLimit, result) }
        }
        return try read(topology: topology, system: system)
    }
}
