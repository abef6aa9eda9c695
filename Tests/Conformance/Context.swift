package import VDPAMemory
package import VhostVDPA

/// What a case needs of the machine it runs on; the simulator and the kernel each have one.
package protocol ConformanceMachine: Sendable {
    /// Opens the device, which must be closed.
    func open() -> Result<any DeviceFile, Errno>
    /// Opens the same device as the library does.
    func openDevice() throws(DMAError) -> VDPADevice
    /// Another device of the machine, of whatever kind, for a domain with two.
    func openSecond() -> Result<any DeviceFile, Errno>
    /// The same, opened as the library does.
    func openSecondDevice() throws(DMAError) -> VDPADevice
    /// Opens the profile's device of a kind, with something behind it that does what the kernel's
    /// does: a disk, or a network whose packets come back.
    func openDevice(_ kind: VirtioDeviceID) throws(DMAError) -> VDPADevice
    /// Gives an open file to the library, by its descriptor where there is one. It stays the
    /// caller's to close where it is refused or duplicated.
    func adopt(_ file: any DeviceFile, duplicating: Bool) throws(DMAError) -> VDPADevice
    /// RLIMIT_MEMLOCK of the calling process, in bytes; nil for unlimited.
    func setLockedMemoryLimit(_ byteCount: UInt64?)
    /// Whether this process does nothing else while a case runs, so that its descriptors and
    /// mappings can be counted.
    var isAlone: Bool { get }
    /// VmPin: bytes that device files have pinned in this process.
    func pinnedByteCount() -> UInt64
    /// Does on an open file, from a process that is not its owner, what `ForeignProbe` does.
    func probeFromOtherProcess(_ file: any DeviceFile) throws -> ForeignAnswers
}

/// What a case is given. The limit is raised before each case and is the case's to change.
package struct Context: Sendable {
    package let profile: Profile
    package let machine: any ConformanceMachine
    /// Told what a case has seen that no kernel promises.
    package let note: @Sendable (String) -> Void
    /// Whether the devices are the kernel's.
    package let isKernel: Bool

    package init(
        profile: Profile, machine: any ConformanceMachine, isKernel: Bool,
        note: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.profile = profile
        self.machine = machine
        self.isKernel = isKernel
        self.note = note
    }

    /// Runs one case on a device that no case before it has touched (opening resets it).
    package func run(_ conformanceCase: ConformanceCase) throws {
        machine.setLockedMemoryLimit(nil)
        defer { machine.setLockedMemoryLimit(nil) }
        try conformanceCase.body(self)
    }

    /// A fresh file without an owner. It closes with its last reference.
    func openUnowned() throws -> Client {
        switch machine.open() {
        case .success(let file): return Client(file)
        case .failure(let error): throw ConformanceFailure(description: "open: \(error)")
        }
    }

    /// A fresh file that this process owns, with the backend features that all devices offer.
    func open() throws -> Client {
        let client = try openUnowned()
        try expectEqual(client.setOwner(), 0, "SET_OWNER")
        try expectEqual(client.acknowledge(0xe), 0, "SET_BACKEND_FEATURES")
        return client
    }

    /// The pages that device files have pinned.
    func pinnedPages() -> Int { Int(machine.pinnedByteCount() / 4096) }
}
