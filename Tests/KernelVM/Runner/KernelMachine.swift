import Conformance
import Glibc
import VDPAMemory
import VhostVDPA

/// The kernel's side of `ConformanceMachine`: needs root, for the device and for the limits.
final class KernelMachine: ConformanceMachine, Sendable {
    private let path: String
    private let secondPath: String?
    /// The other devices of the guest, by kind; the kinds that have none are `path`'s.
    private let others: [VirtioDeviceID: String]

    init(path: String, second: String?, others: [VirtioDeviceID: String]) {
        self.path = path
        secondPath = second
        self.others = others
    }

    func open() -> Result<any DeviceFile, Errno> { open(path) }

    func openSecond() -> Result<any DeviceFile, Errno> {
        secondPath.map { open($0) } ?? .failure(Errno(ENODEV))
    }

    func openSecondDevice() throws(DMAError) -> VDPADevice {
        try VDPADevice(path: secondPath ?? "no --second")
    }

    private func open(_ path: String) -> Result<any DeviceFile, Errno> {
        let number = unsafe Glibc.open(path, O_RDWR | O_CLOEXEC)
        guard number >= 0 else { return .failure(Errno(errno)) }
        return .success(NumberedFile(number))
    }

    func openDevice() throws(DMAError) -> VDPADevice { try VDPADevice(path: path) }

    func openDevice(_ kind: VirtioDeviceID) throws(DMAError) -> VDPADevice {
        try VDPADevice(path: others[kind] ?? path)
    }

    func adopt(_ file: any DeviceFile, duplicating: Bool) throws(DMAError) -> VDPADevice {
        guard let file = file as? NumberedFile else { preconditionFailure("not a kernel's file") }
        let device = try VDPADevice(adopting: file.number, duplicating: duplicating)
        if !duplicating { file.release() }
        return device
    }

    func setLockedMemoryLimit(_ byteCount: UInt64?) {
        let bytes = byteCount.map { rlim_t($0) } ?? rlim_t.max
        var limit = rlimit(rlim_cur: bytes, rlim_max: .max)
        let result = unsafe setrlimit(__rlimit_resource_t(8), &limit)  // RLIMIT_MEMLOCK
        precondition(result == 0, "setrlimit needs root")
    }

    var isAlone: Bool { true }

    func pinnedByteCount() -> UInt64 {
        // VmPin counts kB.
        let fields = lines(of: "/proc/self/status").first { $0.hasPrefix("VmPin:") }?.split {
            $0 == " " || $0 == "\t"
        }
        return (fields.flatMap { UInt64($0[1]) } ?? 0) * 1024
    }

    /// Starts this program again with the device as descriptor 3 and a pipe as descriptor 4.
    func probeFromOtherProcess(_ file: any DeviceFile) throws -> ForeignAnswers {
        guard let file = file as? NumberedFile else { throw RunnerError("not a kernel's file") }
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { throw RunnerError("pipe") }
        let readEnd = FileDescriptor(takingOver: ends[0])
        do {
            let writeEnd = FileDescriptor(takingOver: ends[1])
            try spawnProbe(device: file.number, answersTo: writeEnd.rawValue)
        }
        var bytes = [UInt8](repeating: 0, count: ForeignProbe.answerCount * 4)
        let count = unsafe Glibc.read(readEnd.rawValue, &bytes, bytes.count)
        guard count == bytes.count else { throw RunnerError("the probe gave no answer") }
        return ForeignAnswers(
            (0..<ForeignProbe.answerCount).map { index in
                (0..<4).reduce(Int32(0)) { $0 | Int32(bytes[index * 4 + $1]) << (8 * Int32($1)) }
            })
    }

    private func spawnProbe(device: Int32, answersTo pipe: Int32) throws {
        var actions = unsafe posix_spawn_file_actions_t()
        _ = unsafe posix_spawn_file_actions_init(&actions)
        defer { _ = unsafe posix_spawn_file_actions_destroy(&actions) }
        // Through high numbers, so that neither copy overwrites the other's source.
        _ = unsafe posix_spawn_file_actions_adddup2(&actions, device, 103)
        _ = unsafe posix_spawn_file_actions_adddup2(&actions, pipe, 104)
        let name = unsafe strdup("vdpa-conformance")
        let option = unsafe strdup("--probe")
        defer {
            unsafe free(name)
            unsafe free(option)
        }
        var arguments = unsafe [name, option, nil]
        var process = pid_t()
        let result = unsafe posix_spawn(
            &process, "/proc/self/exe", &actions, nil, &arguments, environ)
        guard result == 0 else { throw RunnerError("posix_spawn: errno \(result)") }
        var status: Int32 = 0
        _ = unsafe waitpid(process, &status, 0)
        guard status == 0 else { throw RunnerError("the probe ended with status \(status)") }
    }

    /// The other side of `probeFromOtherProcess`.
    static func answerProbe() throws {
        let answers = try ForeignProbe.run(NumberedFile(103))
        let bytes = answers.flatMap { answer in
            (0..<4).map { UInt8(truncatingIfNeeded: answer >> (8 * Int32($0))) }
        }
        guard unsafe Glibc.write(104, bytes, bytes.count) == bytes.count else {
            throw RunnerError("nobody listens")
        }
    }
}

/// A kernel file whose descriptor number is known, for the child process.
final class NumberedFile: DeviceFile {
    let number: Int32
    private let file: KernelDeviceFile

    init(_ number: Int32) {
        self.number = number
        file = KernelDeviceFile(FileDescriptor(takingOver: number))
    }

    func ioctl(_ request: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
        unsafe file.ioctl(request, argument)
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Int { unsafe file.write(bytes) }

    func close() -> Int32 { file.close() }

    /// The descriptor has another owner from now on.
    func release() { file.release() }
}

struct RunnerError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

private func lines(of path: String) -> [Substring] {
    guard let file = unsafe fopen(path, "re") else { return [] }
    defer { _ = unsafe fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = unsafe fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
}
